import httpx
def test_a(mocker):
    mocker.patch("httpx.AsyncClient.get", return_value=None)
    assert orders() == 1
