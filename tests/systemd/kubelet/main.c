/* The flags, the life and the death of the stand-in. */
#include "stand_in.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

void fail(int code, const char *format, ...) {
    va_list rest;

    va_start(rest, format);
    vfprintf(stderr, format, rest);
    va_end(rest);
    fputc('\n', stderr);
    exit(code);
}

char *whole(const char *path) {
    FILE *file = fopen(path, "r");
    char *text = NULL;
    size_t size = 0, some;

    if (file == NULL)
        return NULL;
    do {
        text = realloc(text, size + 65537);
        some = fread(text + size, 1, 65536, file);
        size += some;
    } while (some > 0);
    text[size] = 0;
    fclose(file);
    return text;
}

static const char *version(void) {
    static char line[64] = "v1.34.2";
    FILE *file = fopen(TOLD "version", "r");

    if (file != NULL && fscanf(file, "%63s", line) < 1)
        strcpy(line, "v1.34.2");
    if (file != NULL)
        fclose(file);
    return line;
}

int minor_version(void) { return atoi(version() + strlen("v1.")); }

/* Flags that a kubelet has and that mean nothing here. */
static const char *const ignored[] = {
    "bootstrap-kubeconfig", "cert-dir", "container-runtime-endpoint", "hostname-override", "node-ip",
    "node-labels", "pod-infra-container-image", "v", NULL,
};

static struct {
    const char *config, *config_dir, *gates, *root_dir, *kubeconfig;
    bool webhook_is_given, webhook;
} flags = {.root_dir = "/var/lib/kubelet"};

static void read_flags(int argc, char **argv) {
    for (int each = 1; each < argc; each++) {
        char *name = argv[each] + strspn(argv[each], "-"), *value = strchr(name, '=');

        if (name == argv[each])
            fail(1, "E0101 00:00:00.000000 1 run.go:72] \"command failed\" err=\"unknown command %s\"", name);
        if (value != NULL)
            *value++ = 0;
        else if (strcmp(name, "version") != 0 && strcmp(name, "authentication-token-webhook") != 0)
            value = ++each < argc ? argv[each] : "";
        if (strcmp(name, "version") == 0) {
            printf("Kubernetes %s\n", version());
            exit(0);
        } else if (strcmp(name, "config") == 0) {
            flags.config = value;
        } else if (strcmp(name, "config-dir") == 0) {
            flags.config_dir = value;
        } else if (strcmp(name, "feature-gates") == 0) {
            flags.gates = value;
        } else if (strcmp(name, "root-dir") == 0) {
            flags.root_dir = value;
        } else if (strcmp(name, "kubeconfig") == 0) {
            flags.kubeconfig = value;
        } else if (strcmp(name, "authentication-token-webhook") == 0) {
            flags.webhook_is_given = true;
            flags.webhook = value == NULL || strcmp(value, "true") == 0;
        } else {
            const char *const *known = ignored;

            while (*known != NULL && strcmp(*known, name) != 0)
                known++;
            if (*known == NULL)
                fail(1, "E0101 00:00:00.000000 1 run.go:72] \"command failed\" err=\"failed to parse kubelet flag: unknown flag: --%s\"", name);
        }
    }
}

static int is_drop_in(const struct dirent *entry) {
    const char *end = strrchr(entry->d_name, '.');
    return end != NULL && strcmp(end, ".conf") == 0;
}

static void read_drop_ins(struct configuration *configuration) {
    struct dirent **entries;
    int count = scandir(flags.config_dir, &entries, is_drop_in, alphasort);
    char path[4096];

    if (count < 0)
        fail(1, "E0101 00:00:00.000000 1 run.go:72] \"command failed\" err=\"failed to merge kubelet configs: %s: %s\"", flags.config_dir, strerror(errno));
    for (int each = 0; each < count; each++) {
        snprintf(path, sizeof path, "%s/%s", flags.config_dir, entries[each]->d_name);
        decode(configuration, path, true);
    }
}

static void gates_of_flags(void) {
    char *rest = flags.gates != NULL ? strdup(flags.gates) : NULL, *word;

    while ((word = strsep(&rest, ",")) != NULL) {
        char *value = strchr(word, '=');

        if (*word == 0)
            continue;
        if (value == NULL)
            fail(1, "E0101 00:00:00.000000 1 run.go:72] \"command failed\" err=\"missing bool value for %s\"", word);
        *value++ = 0;
        apply_gate(word, strcmp(value, "true") == 0, false);
    }
}

/* What it is told to do, with this configuration; *after is when, in milliseconds. */
static const char *mode(const struct configuration *configuration, long *after) {
    static char word[16];
    char *told = whole(TOLD "mode"), *only;

    if (told == NULL)
        return "";
    told[strcspn(told, "\n")] = 0;
    only = strstr(told, " for ");
    if (only != NULL && (configuration->text == NULL || strstr(configuration->text, only + 5) == NULL))
        return "";
    *after = 0;
    return sscanf(told, "%15s %ld", word, after) >= 1 ? word : "";
}

static void *die(void *after) {
    long milliseconds = (long)after;
    struct timespec pause = {milliseconds / 1000, milliseconds % 1000 * 1000000};

    nanosleep(&pause, NULL);
    fail(255, "E0101 00:00:00.000000 1 kubelet.go:1] \"Failed to start\" err=\"as it was told\"");
}

static void serve_health(int port) {
    static const char answer[] = "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok";
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    int one = 1, server = socket(AF_INET, SOCK_STREAM, 0), client;
    char request[4096];

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(server, (struct sockaddr *)&at, sizeof at) != 0 || listen(server, 8) != 0)
        fail(1, "E0101 00:00:00.000000 1 server.go:1] \"Failed to start healthz server\" err=\"%s\"", strerror(errno));
    while ((client = accept(server, NULL, NULL)) >= 0) {
        if (read(client, request, sizeof request) > 0 && write(client, answer, sizeof answer - 1) < 0)
            perror("healthz");
        close(client);
    }
}

int main(int argc, char **argv) {
    struct configuration configuration = {
        .webhook = true, .healthz_port = 10248, .image_gc_high = 85, .image_gc_low = 80};
    const char *todo;
    pthread_t thread;
    long after = 0;

    read_flags(argc, argv);
    if (flags.config != NULL)
        decode(&configuration, flags.config, false);
    if (flags.config_dir != NULL)
        read_drop_ins(&configuration);
    gates_of_flags();
    if (flags.webhook_is_given)
        configuration.webhook = flags.webhook;
    if (configuration.image_gc_low >= configuration.image_gc_high)
        fail(1, "E0101 00:00:00.000000 1 run.go:72] \"command failed\" err=\"failed to validate kubelet configuration, error: invalid configuration: imageGCLowThresholdPercent (--image-gc-low-threshold) %d must be less than imageGCHighThresholdPercent (--image-gc-high-threshold) %d\"",
             configuration.image_gc_low, configuration.image_gc_high);
    if (configuration.webhook && flags.kubeconfig == NULL)
        fail(1, "E0101 00:00:00.000000 1 run.go:72] \"command failed\" err=\"failed to run Kubelet: no client provided, cannot use webhook authentication\"");
    if (flags.kubeconfig != NULL && access(flags.kubeconfig, R_OK) != 0)
        fail(1, "E0101 00:00:00.000000 1 run.go:72] \"command failed\" err=\"failed to run Kubelet: unable to load bootstrap kubeconfig: stat %s: %s\"", flags.kubeconfig, strerror(errno));

    todo = mode(&configuration, &after);
    if (strcmp(todo, "refuse") == 0)
        fail(1, "E0101 00:00:00.000000 1 run.go:72] \"command failed\" err=\"failed to run Kubelet: this host has not what the configuration wants\"");
    if (strcmp(todo, "hang") == 0)
        for (;;)
            pause();
    if (strcmp(todo, "die") == 0)
        pthread_create(&thread, NULL, die, (void *)after);
    pthread_create(&thread, NULL, serve_pod_resources, (void *)flags.root_dir);
    if (configuration.healthz_port != 0)
        serve_health(configuration.healthz_port);
    for (;;)
        pause();
}
