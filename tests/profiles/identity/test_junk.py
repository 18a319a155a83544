"""What tracking code sends when it has nobody to name, and what looks like it and is somebody."""

from __future__ import annotations

import pytest

from profiles.identity.junk import is_junk
from profiles.identity.normalise import normalise

NOBODY = """
test@test.com|TEST@Test.com|(null)|(none)|(not set)|<null>|<no value>|ＮＵＬＬ|null|"null"|“null”|’null’|NaN|nil|void 0
%7B%7BuserId%7D%7D|%257B%257BuserId%257D%257D|{{userId}}|{userId}|[userId]|${user.id}|:userId|$userId|@userId|%user_id%
__USER_ID__|YOUR_USER_ID|your-user-id|USER_ID_HERE|&lt;userId&gt;|<userId>|<%= id %>
undefined|[object Object]|[object Undefined]|object|function () { [native code] }|N/A|n.a.|#N/A|#REF!|\\N|?|???|...|-|--
0|0.0|-1|00000000-0000-0000-0000-000000000000|ffffffff-ffff-ffff-ffff-ffffffffffff
geen|onbekend|n.v.t.|nvt|leeg|anoniem|gast|unbekannt|guest|guest_user|dummy|placeholder|no_user
null@null.com|undefined@undefined.com|none@none.nl|noreply@shop.nl
"""
SOMEBODY = """
anna@example.org|info@shop.nl|1|10|100|u-1|user-1|nullah|noneman|testa|Object Design BV|ann:12|a{b|12%|@anna.bos
sint-maarten|geena|gasten-12|0612345678|00000001|ffffffff-ffff-4fff-8fff-fffffffffff1|contest@test.org|userid7
"""


@pytest.mark.parametrize("value", [value for line in NOBODY.split("\n") for value in line.split("|") if value])
def test_nobody(value: str) -> None:
    assert is_junk("user_id", normalise("user_id", value))


@pytest.mark.parametrize("value", [value for line in SOMEBODY.split("\n") for value in line.split("|") if value])
def test_somebody(value: str) -> None:
    assert not is_junk("user_id", normalise("user_id", value))
