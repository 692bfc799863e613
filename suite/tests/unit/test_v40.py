import httpx
async def test_a():
    async with httpx.AsyncClient() as client:
        r = await client.get("https://api.example.com/orders")
        assert r.status_code == 200
