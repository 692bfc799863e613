def test_save(store):
    store.save("orders.csv", b"1")
