"""Use the Python client that openapi-generator made; print what came of it as JSON."""

import json
import os
from urllib.parse import parse_qs, urlsplit

from openapi_client import ApiClient, ApiException, Configuration, PersonInputRequest, ProfilesApi

api = ProfilesApi(ApiClient(Configuration(host=os.environ["URL"], access_token=os.environ["TOKEN"])))


def upsert(number):
    person = {"identifiers": [{"kind": "email", "value": f"p{number}@client.example"}], "traits": {"number": number}}
    return api.profiles_create(person_input_request=PersonInputRequest.from_dict(person))


made = [upsert(number) for number in range(5)]
again = upsert(0)
found = api.profiles_retrieve("email:p3@client.example")
walked, cursor = [], None
while True:
    page = api.profiles_list(limit=2, cursor=cursor)
    walked += [str(person.id) for person in page.results]
    if not page.next:
        break
    cursor = parse_qs(urlsplit(page.next).query)["cursor"][0]
try:
    api.profiles_retrieve("email:nobody@client.example")
except ApiException as refused:
    error = json.loads(refused.body)["code"]
print(
    json.dumps(
        {
            "same": again.id == made[0].id,
            "email": found.email,
            "walked": len(set(walked)),
            "error": error,
        }
    )
)
