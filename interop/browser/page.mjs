// The code of a page: a user's credential, as an app with chat or calling has it.
import { AzureCommunicationTokenCredential } from "@azure/communication-common";

/** Exchanges the Entra token of a user for an access token. */
globalThis.exchange = async ({ resourceEndpoint, scopes, token, expiresOn }) => {
  const credential = new AzureCommunicationTokenCredential({
    resourceEndpoint,
    scopes,
    tokenCredential: { getToken: async () => ({ token, expiresOnTimestamp: Date.parse(expiresOn) }) },
  });
  try {
    return await credential.getToken();
  } finally {
    credential.dispose();
  }
};

/** Sends a plain request, and returns its status, or the kind of its failure. */
globalThis.statusOf = async (url, options) => {
  try {
    return (await fetch(url, options)).status;
  } catch (error) {
    return error.name;
  }
};
