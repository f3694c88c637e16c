/* allocates.c
 * Purpose.     A plugin that allocates when it is loaded, on request, and frees when it is unloaded.
 */
#include <stdlib.h>

void *plugin_allocate(size_t size);
void plugin_free(void *block);

static void *kept[4];

__attribute__((constructor)) static void load(void) {
    for (int i = 0; i < 4; i++) {
        kept[i] = malloc((size_t)1 << (i * 6));
    }
}

__attribute__((destructor)) static void unload(void) {
    for (int i = 0; i < 4; i++) {
        free(kept[i]);
    }
}

void *plugin_allocate(size_t size) {
    return calloc(1, size);
}

void plugin_free(void *block) {
    free(block);
}
