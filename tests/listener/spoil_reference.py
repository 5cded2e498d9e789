#!/usr/bin/env python3
"""spoil_reference.py HOW FILE...: rewrites reference files so that each is wrong in one way.

  truncated    the last 20 bytes of the DER are missing
  foreign-oid  another algorithm's OID, of the same length
  other-id     the id of a key that does not exist
"""
import base64
import re
import sys

FORM = re.compile(rb"(-----BEGIN (?:PRIVATE KEY|PKCS#11 PROVIDER URI)-----\n)(.*?)(-----END (?:PRIVATE KEY|PKCS#11 PROVIDER URI)-----\n)", re.DOTALL)


def spoil(how, der):
    if how == "truncated":
        return der[:-20]
    if how == "foreign-oid":
        at = der.index(b"\x06\x13") + 20
        return der[:at] + bytes([der[at] ^ 1]) + der[at + 1 :]
    if how == "other-id":
        at = der.index(b";id=%") + 5
        digits = b"00" if der[at : at + 2] != b"00" else b"11"
        return der[:at] + digits + der[at + 2 :]
    raise SystemExit(f"spoil_reference.py: {how}?")


def main():
    for path in sys.argv[2:]:
        with open(path, "rb") as file:
            text = file.read()
        der = spoil(sys.argv[1], base64.b64decode(FORM.search(text)[2]))
        body = re.sub(rb"(.{1,64})", rb"\1\n", base64.b64encode(der))
        with open(path, "wb") as file:
            file.write(FORM.sub(lambda match: match[1] + body + match[3], text))


if __name__ == "__main__":
    main()
