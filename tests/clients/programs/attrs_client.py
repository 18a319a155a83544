"""Use the client that openapi-python-client made; print what came of it as JSON."""

import json
import os
from urllib.parse import parse_qs, urlsplit

from klantbeeld_client import AuthenticatedClient
from klantbeeld_client.api.profiles import profiles_create, profiles_list, profiles_retrieve
from klantbeeld_client.models import Error, PersonInputRequest
from klantbeeld_client.types import UNSET

client = AuthenticatedClient(base_url=os.environ["URL"], token=os.environ["TOKEN"])


def upsert(number):
    person = {"identifiers": [{"kind": "email", "value": f"p{number}@client.example"}], "traits": {"number": number}}
    return profiles_create.sync(client=client, body=PersonInputRequest.from_dict(person))


made = [upsert(number) for number in range(5)]
again = upsert(0)
found = profiles_retrieve.sync("email:p3@client.example", client=client)
walked, cursor = [], UNSET
while True:
    page = profiles_list.sync(client=client, limit=2, cursor=cursor)
    walked += [str(person.id) for person in page.results]
    if not page.next_:
        break
    cursor = parse_qs(urlsplit(page.next_).query)["cursor"][0]
error = profiles_retrieve.sync("email:nobody@client.example", client=client)
assert isinstance(error, Error)
print(
    json.dumps(
        {
            "same": again.id == made[0].id,
            "email": found.email,
            "walked": len(set(walked)),
            "error": error.code,
        }
    )
)
