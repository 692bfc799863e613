async def test_a():
    try:
        await place(-1)
    except ValueError as e:
        assert e.args == ("negative",)
