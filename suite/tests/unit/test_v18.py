from pytest import raises
def test_a():
    raises(Exception, place, -1)
