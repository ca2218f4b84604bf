/* The Pod Resources socket: as much HTTP/2 and gRPC as one call at a time needs. Whatever is called is answered as
 * List: at most one pod with one device. */
#include "stand_in.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { DATA = 0, HEADERS = 1, SETTINGS = 4, PING = 6 };
enum { ACK = 1, END_STREAM = 1, END_HEADERS = 4 };

static bool receive(int socket, void *into, size_t size) {
    for (ssize_t some; size > 0; size -= some, into = (char *)into + some)
        if ((some = read(socket, into, size)) <= 0)
            return false;
    return true;
}

static void frame(int socket, int type, int flags, uint32_t stream, const void *payload, uint32_t size) {
    unsigned char head[] = {size >> 16, size >> 8, size, type, flags, stream >> 24, stream >> 16, stream >> 8, stream};

    if (write(socket, head, sizeof head) < 0 || (size > 0 && write(socket, payload, size) < 0))
        perror("pod-resources");
}

/* A field of a message, whose length is below 128: its end. */
static unsigned char *field(unsigned char *at, int number, const void *value, size_t size) {
    *at++ = number << 3 | 2;
    *at++ = size;
    memcpy(at, value, size);
    return at + size;
}

/* ListPodResourcesResponse { pods { name, namespace, containers { name, devices { resource, ids } } } } */
static size_t listed(unsigned char *message) {
    char namespace[24], name[24], resource[24], id[24];
    unsigned char devices[64], container[96], pod[160], *end;
    FILE *file = fopen(TOLD "pod", "r");
    int count = file != NULL ? fscanf(file, "%23s %23s %23s %23s", namespace, name, resource, id) : 0;

    if (file != NULL)
        fclose(file);
    if (count != 4)
        return 0;
    end = field(devices, 1, resource, strlen(resource));
    end = field(end, 2, id, strlen(id));
    end = field(container, 2, devices, end - devices);
    end = field(pod, 3, container, end - container);
    end = field(end, 1, name, strlen(name));
    end = field(end, 2, namespace, strlen(namespace));
    return field(message, 1, pod, end - pod) - message;
}

static void answer(int socket, uint32_t stream) {
    /* :status 200 of the static table, content-type by its name there, grpc-status in full. */
    static const char head[] = "\x88\x0f\x10\x10" "application/grpc", tail[] = "\x00\x0bgrpc-status\x01" "0";
    unsigned char body[256] = {0};
    size_t size = listed(body + 5);

    body[4] = size;
    frame(socket, HEADERS, END_HEADERS, stream, head, sizeof head - 1);
    frame(socket, DATA, 0, stream, body, size + 5);
    frame(socket, HEADERS, END_HEADERS | END_STREAM, stream, tail, sizeof tail - 1);
}

static void talk(int socket) {
    unsigned char head[9], payload[16384];
    char preface[24];

    if (!receive(socket, preface, sizeof preface))
        return;
    frame(socket, SETTINGS, 0, 0, NULL, 0);
    while (receive(socket, head, sizeof head)) {
        uint32_t size = head[0] << 16 | head[1] << 8 | head[2], stream = 0;

        for (int each = 5; each < 9; each++)
            stream = stream << 8 | head[each];
        if (size > sizeof payload || !receive(socket, payload, size))
            return;
        if ((head[3] == SETTINGS || head[3] == PING) && !(head[4] & ACK))
            frame(socket, head[3], ACK, 0, payload, head[3] == PING ? size : 0);
        if ((head[3] == HEADERS || head[3] == DATA) && head[4] & END_STREAM)
            answer(socket, stream);
    }
}

void *serve_pod_resources(void *root) {
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int server = socket(AF_UNIX, SOCK_STREAM, 0), client;

    snprintf(at.sun_path, sizeof at.sun_path, "%s/pod-resources", (char *)root);
    mkdir(at.sun_path, 0750);
    snprintf(at.sun_path, sizeof at.sun_path, "%s/pod-resources/kubelet.sock", (char *)root);
    unlink(at.sun_path);
    if (bind(server, (struct sockaddr *)&at, sizeof at) != 0 || listen(server, 8) != 0)
        fail(1, "E0101 00:00:00.000000 1 server.go:1] \"Failed to listen to socket for endpoint\" err=\"%s\"", strerror(errno));
    while ((client = accept(server, NULL, NULL)) >= 0) {
        talk(client);
        close(client);
    }
    return NULL;
}
