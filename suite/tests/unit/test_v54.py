import locale
def test_a():
    locale.setlocale(locale.LC_ALL, "de_DE")
    assert fmt(1) == "1"
