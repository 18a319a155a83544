// Use the TypeScript client that openapi-generator made; print what came of it as JSON.
import { Configuration, ProfilesApi, ResponseError } from "klantbeeld-client";

const api = new ProfilesApi(new Configuration({ basePath: process.env.URL, accessToken: process.env.TOKEN }));

function upsert(number: number) {
  const identifiers = [{ kind: "email", value: `p${number}@client.example` }];
  return api.profilesCreate({ personInputRequest: { identifiers, traits: { number } } });
}

async function main() {
  const made = [];
  for (let number = 0; number < 5; number++) made.push(await upsert(number));
  const again = await upsert(0);
  const found = await api.profilesRetrieve({ id: "email:p3@client.example" });
  const walked = new Set<string>();
  let cursor: string | undefined;
  for (;;) {
    const page = await api.profilesList({ limit: 2, cursor });
    for (const person of page.results) walked.add(person.id);
    if (!page.next) break;
    cursor = new URL(page.next).searchParams.get("cursor") ?? undefined;
  }
  let error = "";
  try {
    await api.profilesRetrieve({ id: "email:nobody@client.example" });
  } catch (refused) {
    if (refused instanceof ResponseError) error = (await refused.response.json()).code;
  }
  console.log(JSON.stringify({ same: again.id === made[0].id, email: found.email, walked: walked.size, error }));
}

main();
