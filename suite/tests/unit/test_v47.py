def test_a():
    try:
        import numpy
    except ImportError:
        return
    assert total(numpy.array([1])) == 1
