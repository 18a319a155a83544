"""Ready-to-paste lines that point each SDK at this installation, with its real address and key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from profiles.models import Source
from profiles.models.source import SourceKind


@dataclass(frozen=True)
class Snippet:
    """Lines to paste."""

    slug: str
    title: Any
    note: Any
    code: str


_BROWSER = """<script>
!function(){{var a=window.analytics=window.analytics||[];if(!a.initialize&&!a.invoked){{a.invoked=!0;
a.methods=["trackSubmit","trackClick","trackLink","trackForm","pageview","identify","reset","group","track","ready",
"alias","debug","page","screen","once","off","on","addSourceMiddleware","addIntegrationMiddleware","setAnonymousId",
"addDestinationMiddleware","register"];
a.factory=function(m){{return function(){{var w=window.analytics;if(w.initialized)return w[m].apply(w,arguments);
var r=Array.prototype.slice.call(arguments);r.unshift(m);a.push(r);return a}}}};
for(var i=0;i<a.methods.length;i++){{a[a.methods[i]]=a.factory(a.methods[i])}}
a.load=function(k,o){{var s=document.createElement("script");s.async=!0;
s.src="{site}/analytics.js/v1/"+k+"/analytics.min.js";document.head.appendChild(s);a._loadOptions=o}};
a._cdn="{site}";a._writeKey="{key}";a.SNIPPET_VERSION="5.2.1";
a.load("{key}",{{useQueryString:false}});a.page()}}}}();
</script>"""

_NPM = """import {{ AnalyticsBrowser }} from "@segment/analytics-next"

export const analytics = AnalyticsBrowser.load(
  {{ writeKey: "{key}", cdnURL: "{site}" }},
  {{ integrations: {{ "Segment.io": {{ apiHost: "{host}/v1", protocol: "{scheme}" }} }}, useQueryString: false }},
)
analytics.identify("user-1", {{ email: "anna@example.org" }})
analytics.track("Product Viewed", {{ product_id: "sku-1", price: 19.95 }})"""

_PYTHON = """import segment.analytics as analytics

analytics.write_key = "{key}"
analytics.host = "{site}"
analytics.identify("user-1", {{"email": "anna@example.org", "first_name": "Anna"}})
analytics.track("user-1", "Order Completed", {{"order_id": "1001", "total": 89.0, "currency": "EUR"}})
analytics.flush()"""

_NODE = """import {{ Analytics }} from "@segment/analytics-node"

const analytics = new Analytics({{ writeKey: "{key}", host: "{site}", path: "/v1/batch" }})
analytics.identify({{ userId: "user-1", traits: {{ email: "anna@example.org" }} }})
analytics.track({{ userId: "user-1", event: "Order Completed", properties: {{ total: 89.0, currency: "EUR" }} }})
await analytics.closeAndFlush()"""

_RUDDER_PYTHON = """import rudderstack.analytics as rudder_analytics

rudder_analytics.write_key = "{key}"
rudder_analytics.dataPlaneUrl = "{site}"
rudder_analytics.track("user-1", "Order Completed", {{"total": 89.0}})
rudder_analytics.flush()"""

_RUDDER_BROWSER = """import {{ RudderAnalytics }} from "@rudderstack/analytics-js"

const analytics = new RudderAnalytics()
analytics.load("{key}", "{site}", {{ configUrl: "{site}" }})
analytics.page()"""

_CURL = (
    """curl {site}/v1/track -u {key}: -d '{{"userId":"user-1","event":"Signed Up","properties":{{"plan":"pro"}}}}'"""
)

_FOR_BROWSER = (
    ("browser", _("Website"), _("Before </head>, on every page."), _BROWSER),
    ("npm", _("Website, from npm"), _("npm install @segment/analytics-next"), _NPM),
    (
        "rudder-browser",
        _("Website, RudderStack"),
        _("npm install @rudderstack/analytics-js"),
        _RUDDER_BROWSER,
    ),
)
_FOR_SERVER = (
    ("python", "Python", _("pip install segment-analytics-python"), _PYTHON),
    ("node", "Node.js", _("npm install @segment/analytics-node"), _NODE),
    (
        "rudder-python",
        _("Python, RudderStack"),
        _("pip install rudder-sdk-python"),
        _RUDDER_PYTHON,
    ),
    (
        "curl",
        _("Any language"),
        _("Plain HTTP: the key is the user name, the password is empty."),
        _CURL,
    ),
)


def snippets_for(source: Source, key: str) -> list[Snippet]:
    """Return the lines for this source's kind; `key` may be a placeholder where the real one is not known any more."""
    site: str = settings.SITE_URL
    scheme, _separator, host = site.partition("://")
    templates = _FOR_BROWSER if source.kind == SourceKind.BROWSER else _FOR_SERVER
    return [
        Snippet(slug, title, note, code.format(site=site, scheme=scheme, host=host, key=key))
        for slug, title, note, code in templates
    ]
