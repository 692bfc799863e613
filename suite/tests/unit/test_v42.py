from pathlib import Path
def test_a():
    Path("out.csv").write_text("1")
    assert total("out.csv") == 1
