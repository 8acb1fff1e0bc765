// A client in Java with nothing but the JDK (11 or newer): the sort of code that a Spring service would hold.
//
//   motet serve
//   java examples/MotetClient.java http://127.0.0.1:8377 "What does a lunch box cost?" [KEY]
//
// It starts a run under an idempotency key, so that sending it again after a lost answer starts nothing twice, and follows
// the run's events. When the connection breaks it comes back with the number of the last event that it saw.

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Iterator;
import java.util.UUID;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

public final class MotetClient {
    private static final int TRIES = 5;

    private final HttpClient http = HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(5)).build();
    private final String base;
    private final String key;

    public MotetClient(String base, String key) {
        this.base = base;
        this.key = key;
    }

    public static void main(String[] args) throws Exception {
        System.setOut(new java.io.PrintStream(System.out, true, StandardCharsets.UTF_8));
        MotetClient client = new MotetClient(args[0], args.length > 2 ? args[2] : "");
        System.out.println(client.ask(args[1]));
    }

    /** Asks one question and returns the answer. */
    public String ask(String question) throws IOException, InterruptedException {
        String body = "{\"input\": {\"messages\": [{\"role\": \"user\", \"content\": " + quoted(question) + "}]}}";
        HttpRequest request = request("/motet/v1/runs")
            .header("Content-Type", "application/json")
            .header("Idempotency-Key", UUID.randomUUID().toString())
            .POST(HttpRequest.BodyPublishers.ofString(body))
            .build();
        HttpResponse<String> accepted = http.send(request, HttpResponse.BodyHandlers.ofString());
        if (accepted.statusCode() != 202) {
            throw new IOException(accepted.statusCode() + ": " + accepted.body());
        }
        return follow(text(accepted.body(), "run_id"));
    }

    private String follow(String runId) throws IOException, InterruptedException {
        String seen = "0";
        String answer = "";
        for (int attempt = 0; attempt < TRIES; attempt++) {
            HttpRequest request = request("/motet/v1/runs/" + runId + "/events")
                .header("Accept", "text/event-stream")
                .header("Last-Event-ID", seen)
                .build();
            HttpResponse<Stream<String>> events = http.send(request, HttpResponse.BodyHandlers.ofLines());
            String type = "";
            String data = "";
            try (Stream<String> lines = events.body()) {
                for (Iterator<String> each = lines.iterator(); each.hasNext();) {
                    String line = each.next();
                    if (line.startsWith("event: ")) {
                        type = line.substring(7);
                    } else if (line.startsWith("data: ")) {
                        data = line.substring(6);
                    } else if (line.startsWith("id: ")) {
                        seen = line.substring(4);
                    } else if (line.isEmpty()) {
                        if (type.equals("message.completed") && text(data, "role").equals("assistant")) {
                            answer = text(data, "text");
                        } else if (type.equals("run.completed") || type.equals("run.interrupted")) {
                            return answer;
                        } else if (type.startsWith("run.failed") || type.startsWith("run.cancelled")) {
                            throw new IOException(data);
                        }
                        type = "";
                    }
                }
            } catch (java.io.UncheckedIOException broken) {
                Thread.sleep(500L << attempt);
            }
        }
        throw new IOException("The stream broke off " + TRIES + " times.");
    }

    private HttpRequest.Builder request(String path) {
        HttpRequest.Builder builder = HttpRequest.newBuilder(URI.create(base + path));
        return key.isEmpty() ? builder : builder.header("x-api-key", key);
    }

    // A service has a JSON library; a single file without one reads the few fields that it needs like this.
    private static String text(String json, String field) {
        Matcher found = Pattern.compile("\"" + field + "\":\\s*\"((?:[^\"\\\\]|\\\\.)*)\"").matcher(json);
        return found.find() ? unescaped(found.group(1)) : "";
    }

    private static String unescaped(String text) {
        Matcher escapes = Pattern.compile("\\\\(u[0-9a-fA-F]{4}|.)").matcher(text);
        return escapes.replaceAll(found -> Matcher.quoteReplacement(plain(found.group(1))));
    }

    private static String plain(String escape) {
        switch (escape.charAt(0)) {
            case 'n': return "\n";
            case 't': return "\t";
            case 'r': return "\r";
            case 'b': return "\b";
            case 'f': return "\f";
            case 'u': return String.valueOf((char) Integer.parseInt(escape.substring(1), 16));
            default: return escape;
        }
    }

    private static String quoted(String text) {
        StringBuilder out = new StringBuilder("\"");
        for (char c : text.toCharArray()) {
            if (c == '"' || c == '\\') {
                out.append('\\').append(c);
            } else if (c < 0x20) {
                out.append(String.format("\\u%04x", (int) c));
            } else {
                out.append(c);
            }
        }
        return out.append('"').toString();
    }
}
