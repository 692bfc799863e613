def test_a(send):
    place(7)
    assert send.has_calls([1])
