async def test_publish(producer):
    await producer.send("orders", b"7")
