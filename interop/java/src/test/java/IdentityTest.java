import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.azure.communication.common.CommunicationTokenCredential;
import com.azure.communication.common.CommunicationTokenRefreshOptions;
import com.azure.communication.common.CommunicationUserIdentifier;
import com.azure.communication.identity.CommunicationIdentityAsyncClient;
import com.azure.communication.identity.CommunicationIdentityClient;
import com.azure.communication.identity.models.CommunicationTokenScope;
import com.azure.communication.identity.models.CommunicationUserIdentifierAndToken;
import com.azure.communication.identity.models.GetTokenForTeamsUserOptions;
import com.azure.core.credential.AccessToken;
import com.azure.core.exception.HttpResponseException;
import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.time.OffsetDateTime;
import java.time.temporal.ChronoUnit;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The cases of azure-communication-identity's own tests that depend on the service. */
@ParameterizedClass
@MethodSource("clients")
class IdentityTest {
    private static final List<CommunicationTokenScope> CHAT = List.of(CommunicationTokenScope.CHAT);

    @Parameter
    Client client;

    static Stream<Client> clients() {
        var defaults = Stream.of("connection string", "key").map(credential -> Emulator.builder(credential, null));
        var versions = elements("apiVersions").map(version -> Emulator.builder("Entra ID", version.textValue()));
        return Stream.concat(defaults, versions).flatMap(builder ->
            Stream.of(new Blocking(builder.buildClient()), new Async(builder.buildAsyncClient())));
    }

    /** The operations that both clients have. */
    interface Client {
        CommunicationUserIdentifier createUser();

        CommunicationUserIdentifierAndToken createUserAndToken(List<CommunicationTokenScope> scopes, Duration lifetime);

        AccessToken getToken(CommunicationUserIdentifier user, List<CommunicationTokenScope> scopes, Duration lifetime);

        void revokeTokens(CommunicationUserIdentifier user);

        void deleteUser(CommunicationUserIdentifier user);

        AccessToken getTokenForTeamsUser(GetTokenForTeamsUserOptions options);
    }

    record Blocking(CommunicationIdentityClient client) implements Client {
        @Override
        public CommunicationUserIdentifier createUser() {
            return client.createUser();
        }

        @Override
        public CommunicationUserIdentifierAndToken createUserAndToken(
            List<CommunicationTokenScope> scopes, Duration lifetime) {
            return lifetime == null ? client.createUserAndToken(scopes) : client.createUserAndToken(scopes, lifetime);
        }

        @Override
        public AccessToken getToken(
            CommunicationUserIdentifier user, List<CommunicationTokenScope> scopes, Duration lifetime) {
            return lifetime == null ? client.getToken(user, scopes) : client.getToken(user, scopes, lifetime);
        }

        @Override
        public void revokeTokens(CommunicationUserIdentifier user) {
            client.revokeTokens(user);
        }

        @Override
        public void deleteUser(CommunicationUserIdentifier user) {
            client.deleteUser(user);
        }

        @Override
        public AccessToken getTokenForTeamsUser(GetTokenForTeamsUserOptions options) {
            return client.getTokenForTeamsUser(options);
        }
    }

    record Async(CommunicationIdentityAsyncClient client) implements Client {
        @Override
        public CommunicationUserIdentifier createUser() {
            return client.createUser().block();
        }

        @Override
        public CommunicationUserIdentifierAndToken createUserAndToken(
            List<CommunicationTokenScope> scopes, Duration lifetime) {
            var call = lifetime == null ? client.createUserAndToken(scopes) : client.createUserAndToken(scopes, lifetime);
            return call.block();
        }

        @Override
        public AccessToken getToken(
            CommunicationUserIdentifier user, List<CommunicationTokenScope> scopes, Duration lifetime) {
            var call = lifetime == null ? client.getToken(user, scopes) : client.getToken(user, scopes, lifetime);
            return call.block();
        }

        @Override
        public void revokeTokens(CommunicationUserIdentifier user) {
            client.revokeTokens(user).block();
        }

        @Override
        public void deleteUser(CommunicationUserIdentifier user) {
            client.deleteUser(user).block();
        }

        @Override
        public AccessToken getTokenForTeamsUser(GetTokenForTeamsUserOptions options) {
            return client.getTokenForTeamsUser(options).block();
        }
    }

    @Test
    void createUser() {
        assertTrue(client.createUser().getId().startsWith("8:acs:"));
    }

    @ParameterizedTest
    @MethodSource("scopeSets")
    void createUserAndToken(List<CommunicationTokenScope> scopes) {
        var created = client.createUserAndToken(scopes, null);
        assertActive(created.getUserToken(), created.getUser(), scopes);
    }

    @ParameterizedTest
    @MethodSource("validMinutes")
    void createUserAndTokenWithValidLifetime(int minutes) {
        assertExpiresIn(client.createUserAndToken(CHAT, Duration.ofMinutes(minutes)).getUserToken(), minutes);
    }

    @ParameterizedTest
    @MethodSource("invalidMinutes")
    void createUserAndTokenWithInvalidLifetime(int minutes) {
        assertRefused(minutes + " minutes", () -> client.createUserAndToken(CHAT, Duration.ofMinutes(minutes)));
    }

    @ParameterizedTest
    @MethodSource("scopeSets")
    void getToken(List<CommunicationTokenScope> scopes) {
        var user = client.createUser();
        assertActive(client.getToken(user, scopes, null), user, scopes);
    }

    @ParameterizedTest
    @MethodSource("validMinutes")
    void getTokenWithValidLifetime(int minutes) {
        assertExpiresIn(client.getToken(client.createUser(), CHAT, Duration.ofMinutes(minutes)), minutes);
    }

    @ParameterizedTest
    @MethodSource("invalidMinutes")
    void getTokenWithInvalidLifetime(int minutes) {
        var user = client.createUser();
        assertRefused(minutes + " minutes", () -> client.getToken(user, CHAT, Duration.ofMinutes(minutes)));
    }

    // Null scopes are not tried here: this client refuses them by itself.
    @Test
    void getTokenWithoutScopes() {
        var user = client.createUser();
        assertRefused("scopes empty", () -> client.getToken(user, List.of(), null));
    }

    @Test
    void revokeTokens() {
        var created = client.createUserAndToken(CHAT, null);
        client.revokeTokens(created.getUser());
        assertEquals("revoked", status(created.getUserToken()));
    }

    @Test
    void deleteUser() {
        var created = client.createUserAndToken(CHAT, null);
        client.deleteUser(created.getUser());
        assertEquals("identityDeleted", status(created.getUserToken()));
    }

    @Test
    void foreignUser() {
        var user = new CommunicationUserIdentifier(Emulator.CASES.get("foreignUser").asText());
        assertRefused("foreign user", () -> client.getToken(user, CHAT, null));
        assertRefused("foreign user", () -> client.revokeTokens(user));
        assertRefused("foreign user", () -> client.deleteUser(user));
    }

    @Test
    void getTokenForTeamsUser() {
        assertEquals("active", status(exchange(Emulator.mintEntraToken(Map.of("kind", "teamsUser")))));
    }

    @ParameterizedTest
    @MethodSource("refusedExchanges")
    void getTokenForTeamsUserRefused(JsonNode exchange) {
        var request = new HashMap<String, Object>(Map.of("kind", "teamsUser"));
        exchange.path("mint").properties().forEach(entry -> request.put(entry.getKey(), entry.getValue()));
        var entra = new HashMap<>(Emulator.mintEntraToken(request));
        exchange.path("send").properties().forEach(entry -> entra.put(entry.getKey(), entry.getValue().asText()));
        assertRefused(exchange.get("error").asText(), () -> exchange(entra));
    }

    // The credential of azure-communication-common, which chats and calls take.

    @Test
    void credentialReadsTheExpiry() {
        var token = client.createUserAndToken(CHAT, null).getUserToken();
        var read = new CommunicationTokenCredential(token.getToken()).getToken().block();
        assertEquals(token.getToken(), read.getToken());
        assertEquals(token.getExpiresAt().truncatedTo(ChronoUnit.SECONDS), read.getExpiresAt());
    }

    @Test
    void credentialRefreshesAnExpiredToken() throws Exception {
        var user = client.createUser();
        var options = new CommunicationTokenRefreshOptions(() -> client.getToken(user, CHAT, null).getToken());
        try (var credential = new CommunicationTokenCredential(options)) {
            var read = credential.getToken().block();
            assertActive(read, user, CHAT);
            assertEquals(read.getToken(), credential.getToken().block().getToken());
        }
    }

    static Stream<List<CommunicationTokenScope>> scopeSets() {
        return elements("scopeSets").map(set -> StreamSupport.stream(set.spliterator(), false)
            .map(scope -> CommunicationTokenScope.fromString(scope.asText()))
            .toList());
    }

    static Stream<Integer> validMinutes() {
        return elements("validMinutes").map(JsonNode::asInt);
    }

    static Stream<Integer> invalidMinutes() {
        return elements("invalidMinutes").map(JsonNode::asInt);
    }

    static Stream<JsonNode> refusedExchanges() {
        return elements("refusedExchanges");
    }

    private static Stream<JsonNode> elements(String name) {
        return StreamSupport.stream(Emulator.CASES.get(name).spliterator(), false);
    }

    private AccessToken exchange(Map<String, String> entra) {
        return client.getTokenForTeamsUser(
            new GetTokenForTeamsUserOptions(entra.get("token"), entra.get("appId"), entra.get("userId")));
    }

    private static String status(AccessToken token) {
        return Emulator.introspect(token.getToken()).get("status").asText();
    }

    private static void assertActive(
        AccessToken token, CommunicationUserIdentifier user, List<CommunicationTokenScope> scopes) {
        var introspected = Emulator.introspect(token.getToken());
        assertEquals("active", introspected.get("status").asText());
        var claims = introspected.get("claims");
        assertEquals(user.getId(), "8:" + claims.get("skypeid").asText());
        assertEquals(String.join(",", scopes.stream().map(Object::toString).toList()), claims.get("acsScope").asText());
    }

    private static void assertExpiresIn(AccessToken token, int minutes) {
        var actual = Duration.between(OffsetDateTime.now(), token.getExpiresAt()).toSeconds() / 60.0;
        assertEquals(minutes, actual, minutes * 0.05);
    }

    // The blocking client throws an exception of a package that it keeps to itself, so that the class is not compared.
    private static void assertRefused(String name, Executable call) {
        var response = assertThrows(HttpResponseException.class, call).getResponse();
        var body = response.getBodyAsString().block();
        assertEquals(Emulator.Refusal.named(name), Emulator.Refusal.of(response.getStatusCode(), body));
    }
}
