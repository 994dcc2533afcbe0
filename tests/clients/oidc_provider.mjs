// An OpenID provider on loopback, for tests/identity.rs: `oidc-provider`, which is certified by the OpenID Foundation.
//
//   node oidc_provider.mjs FOLDER PORT KEY_ID ALGORITHM
//
// FOLDER holds node_modules. Analysts are clients who get tokens for themselves (RFC 6749, section 4.4), for the resource they name
// (RFC 8707), as signed JWTs (RFC 9068). Prints "listening" when it does; for each line "ANALYST RESOURCE" on standard input it gets a
// token over HTTP, as a client would, and prints "token …". A resource that ends in "brief" gives tokens that last two seconds. A
// restart with another KEY_ID is a rotation of keys. A third word on the line is a proof of possession: the token is bound to its key (RFC 9449).
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { generateKeyPairSync } from "node:crypto";
import { createInterface } from "node:readline";

const [folder, port, kid, alg] = process.argv.slice(2);
const require = createRequire(`${folder}/package.json`);
const { Provider } = await import(pathToFileURL(require.resolve("oidc-provider")).href);

const pair = {
    RS256: () => generateKeyPairSync("rsa", { modulusLength: 2048 }),
    ES256: () => generateKeyPairSync("ec", { namedCurve: "P-256" }),
    EdDSA: () => generateKeyPairSync("ed25519"),
}[alg]();
const jwk = { ...pair.privateKey.export({ format: "jwk" }), kid, use: "sig", alg: alg === "EdDSA" ? "Ed25519" : alg };

const analyst = (name) => ({
    client_id: name,
    client_secret: `${name}-secret-of-many-characters`,
    grant_types: ["client_credentials"],
    redirect_uris: [],
    response_types: [],
});

const provider = new Provider(`http://127.0.0.1:${port}`, {
    clients: ["carl", "dora"].map(analyst),
    jwks: { keys: [jwk] },
    clientDefaults: { id_token_signed_response_alg: jwk.alg },
    enabledJWA: { idTokenSigningAlgValues: [jwk.alg] },
    features: {
        devInteractions: { enabled: false },
        clientCredentials: { enabled: true },
        resourceIndicators: {
            enabled: true,
            getResourceServerInfo: (_, resource) => ({
                scope: "ask",
                audience: resource,
                accessTokenFormat: "jwt",
                accessTokenTTL: resource.endsWith("brief") ? 2 : 600,
                jwt: { sign: { alg: jwk.alg } },
            }),
        },
    },
    extraTokenClaims: () => ({ groups: ["housing"] }),
});
provider.listen(Number(port), "127.0.0.1", () => console.log("listening"));

for await (const line of createInterface({ input: process.stdin })) {
    const [name, resource, proof] = line.split(" ");
    const answer = await fetch(`http://127.0.0.1:${port}/token`, {
        method: "POST",
        headers: { authorization: `Basic ${btoa(`${name}:${name}-secret-of-many-characters`)}`, ...(proof && { dpop: proof }) },
        body: new URLSearchParams({ grant_type: "client_credentials", scope: "ask", resource }),
    });
    const said = await answer.json();
    console.log(`token ${said.access_token ?? JSON.stringify(said)}`);
}
process.exit(0);
