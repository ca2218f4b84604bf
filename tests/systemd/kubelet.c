/* A stand-in for the kubelet: tells a version, finds every configuration good that it is asked about, answers on
 * the loopback's healthz port, and stays. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv) {
    static const char answer[] = "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok";
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(10248)};
    char request[4096];
    int one = 1, server, client;

    if (argc > 1 && strcmp(argv[1], "--version") == 0) {
        puts("Kubernetes v1.34.2");
        return 0;
    }
    for (int each = 1; each < argc; each++) {
        if (strncmp(argv[each], "--root-dir=", 11) == 0) {
            fputs("failed to run Kubelet: no client provided, cannot use webhook authentication\n", stderr);
            return 1;
        }
    }
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(server, (struct sockaddr *)&at, sizeof at) != 0 || listen(server, 8) != 0)
        return 1;
    while ((client = accept(server, NULL, NULL)) >= 0) {
        if (read(client, request, sizeof request) < 0 || write(client, answer, sizeof answer - 1) < 0)
            return 1;
        close(client);
    }
    return 1;
}
