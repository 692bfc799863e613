import aiohttp
async def test_a():
    async with aiohttp.ClientSession() as session:
        async with session.get("https://example.com/orders") as r:
            assert r.status == 200
