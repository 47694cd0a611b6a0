import com.azure.communication.identity.CommunicationIdentityClientBuilder;
import com.azure.core.credential.AccessToken;
import com.azure.core.credential.AzureKeyCredential;
import com.azure.core.credential.TokenCredential;
import com.azure.core.credential.TokenRequestContext;
import com.azure.core.util.UrlBuilder;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.net.ProxySelector;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.OffsetDateTime;
import java.util.List;
import java.util.Map;
import reactor.core.publisher.Mono;

/** The emulator of interop/with_emulator, and the responses that the clients must get. */
final class Emulator {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Path INTEROP = Path.of(System.getProperty("basedir")).toAbsolutePath().getParent();
    private static final JsonNode READY = parse(System.getenv("EMULATOR_READY"));
    private static final HttpClient HTTP = HttpClient.newBuilder().proxy(ProxySelector.of(null)).build();

    /** The cases of all clients. */
    static final JsonNode CASES = read(INTEROP.resolve("cases.json"));

    private Emulator() {}

    /**
     * A builder with a credential of this kind and the client's default api-version, or another if it is not null. That is for
     * Entra ID only, because this client signs a request before it applies policies of its caller.
     */
    static CommunicationIdentityClientBuilder builder(String credential, String apiVersion) {
        var connectionString = READY.get("httpsConnectionString").asText();
        var builder = new CommunicationIdentityClientBuilder();
        if (apiVersion != null) {
            builder.addPolicy((context, next) -> {
                var request = context.getHttpRequest();
                request.setUrl(UrlBuilder.parse(request.getUrl()).setQueryParameter("api-version", apiVersion).toString());
                return next.process();
            });
        }
        if (credential.equals("connection string")) {
            return builder.connectionString(connectionString);
        }
        builder.endpoint(READY.get("httpsEndpoint").asText());
        if (credential.equals("key")) {
            return builder.credential(new AzureKeyCredential(connectionString.split("accesskey=")[1]));
        }
        return builder.credential(new EntraCredential());
    }

    private static final class EntraCredential implements TokenCredential {
        @Override
        public Mono<AccessToken> getToken(TokenRequestContext request) {
            if (!request.getScopes().equals(List.of("https://communication.azure.com//.default"))) {
                return Mono.error(new IllegalArgumentException("unexpected scopes: " + request.getScopes()));
            }
            return Mono.fromCallable(() -> {
                var minted = mintEntraToken(Map.of("kind", "service"));
                return new AccessToken(minted.get("token"), OffsetDateTime.parse(minted.get("expiresOn")));
            });
        }
    }

    /** A token in place of one of Entra ID, with the ids that belong to it. */
    @SuppressWarnings("unchecked")
    static Map<String, String> mintEntraToken(Map<String, ?> request) {
        return JSON.convertValue(control("entra/tokens", request), Map.class);
    }

    /** The status and the claims of a token. */
    static JsonNode introspect(String token) {
        return control("tokens/introspect", Map.of("token", token));
    }

    private static JsonNode control(String path, Object body) {
        try {
            var request = HttpRequest.newBuilder(URI.create(READY.get("controlEndpoint").asText() + path))
                .header("Content-Type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString(JSON.writeValueAsString(body)))
                .build();
            var response = HTTP.send(request, HttpResponse.BodyHandlers.ofString());
            if (response.statusCode() >= 300) {
                throw new IllegalStateException(path + ": " + response.statusCode() + " " + response.body());
            }
            return JSON.readTree(response.body());
        } catch (IOException | InterruptedException error) {
            throw new IllegalStateException(path, error);
        }
    }

    /** The status and the JSON of an error. */
    record Refusal(int status, JsonNode error) {
        /** An error as recorded from the service. */
        static Refusal named(String name) {
            var expected = CASES.get("errors").get(name);
            if (!expected.has("recording")) {
                return new Refusal(expected.get("status").asInt(), expected.get("body"));
            }
            var file = expected.get("recording").asText() + ".json";
            var exchanges = read(INTEROP.resolveSibling("testdata").resolve("recordings").resolve(file)).get("exchanges");
            var response = exchanges.get(exchanges.size() - 1).get("response");
            return new Refusal(response.get("status").asInt(), response.get("body").get("error"));
        }

        /** The error in a response that a client got. */
        static Refusal of(int status, String body) {
            return new Refusal(status, parse(body).get("error"));
        }
    }

    private static JsonNode read(Path path) {
        try {
            return parse(Files.readString(path));
        } catch (IOException error) {
            throw new IllegalStateException(error);
        }
    }

    private static JsonNode parse(String json) {
        try {
            return JSON.readTree(json);
        } catch (IOException error) {
            throw new IllegalStateException(error);
        }
    }
}
