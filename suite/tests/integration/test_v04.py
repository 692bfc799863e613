from unittest import mock
def test_a():
    with mock.patch("boto3.client") as client:
        upload("a.csv")
        client.return_value.put_object.assert_called_once()
