/* The decoder: strict about types, lenient about unknown and doubled fields of the main file, as the kubelet is. */
#include "stand_in.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

static const char *name_of; /* of the file */

static void refuse(const char *why, const char *where) {
    fail(1, "E0101 00:00:00.000000 1 run.go:72] \"command failed\" err=\"failed to load kubelet config file, path: %s, error: %s %s\"", name_of, why, where);
}

/* A gate's or a field's line in a table of what is told: the rest of the line, or NULL. */
static const char *look_up(const char *table, const char *name) {
    static char line[1024];
    FILE *file = fopen(table, "r");
    size_t length = strlen(name);
    bool found = false;

    if (file == NULL)
        fail(1, "the stand-in lacks %s", table);
    while (!found && fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = 0;
        found = strncmp(line, name, length) == 0 && line[length] == '\t';
    }
    fclose(file);
    return found ? line + length + 1 : NULL;
}

void apply_gate(const char *name, bool value, bool panic) {
    const char *columns = look_up(TOLD "gates", name);
    int minor = minor_version(), column = 27;
    char why[512] = "";

    if (strcmp(name, "AllAlpha") == 0 || strcmp(name, "AllBeta") == 0)
        return;
    /* One column for each minor version: a, b, g, d for its stage, great if it is on, ! if it is locked; - if unknown. */
    while (columns != NULL && column < minor) {
        columns = strchr(columns, ' ');
        columns = columns != NULL ? columns + 1 : NULL;
        column++;
    }
    if (columns == NULL || *columns == '-' || *columns == 0)
        snprintf(why, sizeof why, "unrecognized feature gate: %s", name);
    else if (columns[1] == '!' && value != (isupper((unsigned char)columns[0]) != 0))
        snprintf(why, sizeof why, "cannot set feature gate %s to %s, feature is locked to %s", name,
                 value ? "true" : "false", value ? "false" : "true");
    if (*why == 0)
        return;
    if (panic && minor >= 32)
        fail(2, "panic: failed to merge global and in-flight KubeletConfiguration while setting defaults, error: %s\n\ngoroutine 1 [running]:", why);
    fail(1, "E0101 00:00:00.000000 1 run.go:72] \"command failed\" err=\"failed to set feature gates from initial flags-based config: %s\"", why);
}

static yaml_document_t document;

static const char *text(yaml_node_t *node) { return (const char *)node->data.scalar.value; }

static bool is_null(yaml_node_t *node) {
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};

    if (node->type != YAML_SCALAR_NODE || node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return false;
    for (const char *const *word = nulls; *word != NULL; word++)
        if (strcmp(*word, text(node)) == 0)
            return true;
    return false;
}

/* The bools of YAML 1.1: 1, 0, or -1 for what is none. */
static int as_bool(yaml_node_t *node) {
    static const char *const words[] = {"y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "true", "True", "TRUE", NULL,
                                        "n", "N", "no", "No", "NO", "off", "Off", "OFF", "false", "False", "FALSE"};

    if (node->type != YAML_SCALAR_NODE || node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return -1;
    for (size_t word = 0; word < sizeof words / sizeof *words; word++)
        if (words[word] != NULL && strcmp(words[word], text(node)) == 0)
            return word < 11;
    return -1;
}

static bool is_integer(yaml_node_t *node) {
    char *end;

    if (node->type != YAML_SCALAR_NODE || node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE || *text(node) == 0)
        return false;
    strtol(text(node), &end, 0);
    return *end == 0;
}

/* Go's time.ParseDuration: numbers with units, or 0. */
static bool is_duration(yaml_node_t *node) {
    static const char *const units[] = {"ns", "us", "\u00b5s", "ms", "s", "m", "h", NULL};
    const char *rest;

    if (node->type != YAML_SCALAR_NODE)
        return false;
    rest = text(node) + (*text(node) == '-' || *text(node) == '+');
    if (strcmp(rest, "0") == 0)
        /* A plain 0 is a number, which is no duration. */
        return node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    if (*rest == 0)
        return false;
    while (*rest != 0) {
        size_t digits = strspn(rest, "0123456789."), unit = 0;

        if (digits == 0)
            return false;
        rest += digits;
        while (units[unit] != NULL && strncmp(rest, units[unit], strlen(units[unit])) != 0)
            unit++;
        if (units[unit] == NULL)
            return false;
        rest += strlen(units[unit]);
    }
    return true;
}

static bool is_of_type(yaml_node_t *node, const char *type) {
    if (strcmp(type, "any") == 0 || is_null(node))
        return true;
    if (strcmp(type, "map") == 0)
        return node->type == YAML_MAPPING_NODE;
    if (strcmp(type, "list") == 0)
        return node->type == YAML_SEQUENCE_NODE;
    if (node->type != YAML_SCALAR_NODE)
        return false;
    if (strcmp(type, "bool") == 0)
        return as_bool(node) >= 0;
    if (strcmp(type, "int") == 0)
        return is_integer(node);
    if (strcmp(type, "duration") == 0)
        return is_duration(node);
    /* A text: what is plain must be nothing else. */
    return as_bool(node) < 0 && !is_integer(node);
}

/* The value of a key, the last one if it stands there twice. */
static yaml_node_t *get(yaml_node_t *map, const char *key) {
    yaml_node_t *found = NULL;

    if (map == NULL || map->type != YAML_MAPPING_NODE)
        return NULL;
    for (yaml_node_pair_t *pair = map->data.mapping.pairs.start; pair < map->data.mapping.pairs.top; pair++) {
        yaml_node_t *name = yaml_document_get_node(&document, pair->key);

        if (name->type == YAML_SCALAR_NODE && strcmp(text(name), key) == 0)
            found = yaml_document_get_node(&document, pair->value);
    }
    return found;
}

static void gates(yaml_node_t *map) {
    if (map == NULL || is_null(map))
        return;
    for (yaml_node_pair_t *pair = map->data.mapping.pairs.start; pair < map->data.mapping.pairs.top; pair++) {
        const char *name = text(yaml_document_get_node(&document, pair->key));
        yaml_node_t *value = yaml_document_get_node(&document, pair->value);

        if (!is_null(value) && as_bool(value) < 0)
            refuse("json: cannot unmarshal into Go struct field KubeletConfiguration.featureGates of type bool:", name);
        apply_gate(name, as_bool(value) == 1, true);
    }
}

static void integer(yaml_node_t *node, int *into) {
    if (node != NULL && !is_null(node))
        *into = atoi(text(node));
}

/* Fields that are unknown or stand there twice are what strict decoding fails over. */
static void fields(yaml_node_t *root, bool drop_in) {
    bool lenient = false;

    for (yaml_node_pair_t *pair = root->data.mapping.pairs.start; pair < root->data.mapping.pairs.top; pair++) {
        yaml_node_t *key = yaml_document_get_node(&document, pair->key);
        yaml_node_t *value = yaml_document_get_node(&document, pair->value);
        const char *type;

        if (key->type != YAML_SCALAR_NODE)
            refuse("a key is no text", "");
        type = look_up(TOLD "fields", text(key));
        if (get(root, text(key)) != value) {
            if (drop_in)
                refuse("key is already set in map:", text(key));
            lenient = true;
        } else if (type == NULL) {
            lenient |= !drop_in;
        } else if (!is_of_type(value, type)) {
            refuse("json: cannot unmarshal into Go struct field", text(key));
        }
    }
    if (lenient)
        fprintf(stderr, "W0101 00:00:00.000000 1 server.go:1] \"Using lenient decoding as strict decoding failed\" err=\"strict decoding error\"\n");
}

void decode(struct configuration *configuration, const char *path, bool drop_in) {
    yaml_parser_t parser;
    yaml_node_t *root, *kind, *webhook;
    char *content = whole(path);

    name_of = path;
    if (content == NULL)
        refuse("no such file or directory", "");
    if (!drop_in)
        configuration->text = content;
    yaml_parser_initialize(&parser);
    yaml_parser_set_input_string(&parser, (const unsigned char *)content, strlen(content));
    if (!yaml_parser_load(&parser, &document))
        refuse("error converting YAML to JSON: yaml:", parser.problem);
    root = yaml_document_get_root_node(&document);
    if (root == NULL || root->type != YAML_MAPPING_NODE)
        refuse("couldn't get version/kind; json parse error", "");
    kind = get(root, "kind");
    if (kind == NULL || strcmp(text(kind), "KubeletConfiguration") != 0 || get(root, "apiVersion") == NULL)
        refuse("no kind \"KubeletConfiguration\" is registered for what stands in", path);
    fields(root, drop_in);
    gates(get(root, "featureGates"));
    webhook = get(get(get(root, "authentication"), "webhook"), "enabled");
    if (webhook != NULL)
        configuration->webhook = as_bool(webhook) == 1;
    integer(get(root, "healthzPort"), &configuration->healthz_port);
    integer(get(root, "imageGCHighThresholdPercent"), &configuration->image_gc_high);
    integer(get(root, "imageGCLowThresholdPercent"), &configuration->image_gc_low);
    yaml_document_delete(&document);
    yaml_parser_delete(&parser);
}
