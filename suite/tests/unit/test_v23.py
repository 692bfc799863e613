import pytest
async def test_a():
    with pytest.raises(ValueError) as e:
        await place(-1)
        assert e.value.args[0] == "negative"
