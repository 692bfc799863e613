import asyncio
async def test_a(worker):
    await worker.submit(7)
    await asyncio.sleep(1)
    assert worker.done == 1
