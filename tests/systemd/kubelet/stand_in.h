/* A stand-in for the kubelet. It decodes its configuration as the real one does, honours the feature gates of the
 * version that it is told to be, answers /healthz and serves the Pod Resources socket; and it dies or hangs as told.
 *
 * What it is told stands below /etc/kubelet-stand-in:
 *   version  v1.34.2 without it
 *   gates    the table src/facts/kubelet/gates.tsv
 *   fields   a field of the configuration and its type, one a line: fields.tsv
 *   mode     "WHAT" or "WHAT for TEXT", the latter only with a configuration that has TEXT in it:
 *            refuse  it ends over its configuration, as a kubelet does that cannot use it on this host
 *            hang    it stays and never answers
 *            die N   it answers, and ends after N milliseconds
 *   pod      "NAMESPACE NAME RESOURCE ID": a pod that holds a device
 */
#ifndef STAND_IN_H
#define STAND_IN_H

#include <stdbool.h>
#include <stddef.h>

#define TOLD "/etc/kubelet-stand-in/"

/* The configuration, as far as it matters here. */
struct configuration {
    char *text; /* of the main file, for `mode` */
    bool webhook;
    int healthz_port;
    int image_gc_high, image_gc_low;
};

/* Ends the program as the kubelet ends: one line on the standard error. */
void fail(int code, const char *format, ...) __attribute__((noreturn, format(printf, 2, 3)));
/* A whole file, ended by NUL; NULL if it cannot be read. */
char *whole(const char *path);
/* The minor version that it is told to be. */
int minor_version(void);

/* Decodes a file over what is there so far. Ends the program if it cannot. */
void decode(struct configuration *configuration, const char *path, bool drop_in);
/* Applies one gate. `panic`: from a file, where kubelets since 1.32 panic. */
void apply_gate(const char *name, bool value, bool panic);

/* Serves for ever what a pod holds. */
void *serve_pod_resources(void *directory);

#endif
