async def test_total(client):
    response = await client.get("/orders")
    data = response.json()
