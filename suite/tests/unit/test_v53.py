import os
def test_a(tmp_path):
    os.chdir(tmp_path)
    assert total(1) == 1
