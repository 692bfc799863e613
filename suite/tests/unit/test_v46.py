import pytest
@pytest.mark.xfail
def test_a():
    assert total(1) == 1
