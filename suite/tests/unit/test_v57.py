class TestFlow:
    def test_place(self):
        TestFlow.order = place(7)
        assert self.order.id == 7
    def test_total(self):
        assert TestFlow.order.total() == 7
