def test_a():
    def assert_total(order, total):
        order.total() == total
    assert_total(place(7), 7)
