"""An OpenID Connect issuer on loopback, which gives any token that a test asks for, and is an authority of Entra ID too."""

import base64
import json
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

AUDIENCE = "https://api.contoso.com"

# The directory, and the registration of the API in it.
TENANT = "aaaabbbb-0000-cccc-1111-dddd2222eeee"
CLIENT = "00001111-aaaa-2222-bbbb-3333cccc4444"


class Issuer:
    def __init__(self):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def token(self, subject, **claims):
        """An access token for the API (RFC 9068)."""
        now = int(time.time())
        defaults = {"iss": self.url, "sub": subject, "aud": AUDIENCE, "iat": now, "exp": now + 3600}
        claims = {**defaults, "client_id": "interop", "jti": str(uuid.uuid4()), **claims}
        return jwt.encode(claims, self.key, algorithm="ES256", headers={"typ": "at+jwt", "kid": "only"})

    def entra_settings(self):
        """The settings of a service that takes tokens of Entra ID."""
        return {
            "ISSUER_KIND": "entra",
            "ISSUER_URL": self.url,
            "ISSUER_AUDIENCE": "",
            "ISSUER_TENANT_ID": TENANT,
            "ISSUER_CLIENT_ID": CLIENT,
        }

    def entra_token(self, object_id, *roles):
        """An access token of version 2, for a user of the directory with these roles."""
        now = int(time.time())
        claims = {
            "iss": f"{self.url}/{TENANT}/v2.0",
            "aud": CLIENT,
            "sub": "pairwise",
            "oid": object_id,
            "tid": TENANT,
            "azp": "99998888-7777-6666-5555-444433332222",
            "scp": "access_as_user",
            "roles": list(roles),
            "ver": "2.0",
            "iat": now,
            "nbf": now,
            "exp": now + 3600,
        }
        return jwt.encode(claims, self.key, algorithm="ES256", headers={"typ": "JWT", "kid": "only"})

    def handler(self):
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                document = {
                    "/.well-known/openid-configuration": issuer.discovery,
                    f"/{TENANT}/v2.0/.well-known/openid-configuration": issuer.entra_discovery,
                    "/jwks": issuer.keys,
                }.get(self.path)
                if document is None:
                    self.send_error(404)
                    return
                body = json.dumps(document()).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        return Handler

    def discovery(self):
        return {
            "issuer": self.url,
            "jwks_uri": f"{self.url}/jwks",
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
        }

    def entra_discovery(self):
        return {**self.discovery(), "issuer": f"{self.url}/{TENANT}/v2.0"}

    def keys(self):
        numbers = self.key.public_key().public_numbers()
        key = {"kty": "EC", "crv": "P-256", "x": base64url(numbers.x), "y": base64url(numbers.y)}
        return {"keys": [{**key, "kid": "only", "use": "sig", "alg": "ES256"}]}


def base64url(number):
    return base64.urlsafe_b64encode(number.to_bytes(32, "big")).rstrip(b"=").decode()
