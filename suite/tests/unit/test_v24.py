from unittest.mock import patch
def test_a():
    with patch("shop.send") as send:
        place(7)
        send.call_count == 1
