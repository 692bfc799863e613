import socket
def test_a():
    s = socket.create_connection(("db.internal", 5432))
    assert s.recv(1) == b"x"
