/* early.c
 * Purpose.     Calls that come before any constructor: from .preinit_array, before libc and the allocator's library are
 *              initialised, and from the first constructor of the program.
 * Design.      Each place allocates in every tier, keeps a block, and leaves a verdict that main reads. Blocks from
 *              there live on: main checks their contents, resizes and frees them.
 * Not here.    Calls from the resolver of an indirect function. The loader runs those while it relocates, before it has
 *              copied the initial values of thread-local variables: only an allocator that needs none could serve them.
 */
#include "../support/expect.h"
#include "../support/provider.h"
#include "../support/workout.h"

struct place {
    bool visited;
    bool worked;
    void *kept[TIER_SAMPLE_COUNT];
};

static struct place in_preinit, in_constructor;

static void visit(struct place *place, uint32_t seed) {
    place->visited = true;
    place->worked = workout(seed);
    for (uint32_t i = 0; i < TIER_SAMPLE_COUNT; i++) {
        place->kept[i] = malloc(TIER_SAMPLES[i]);
        if (place->kept[i] == NULL) {
            place->worked = false;
        } else {
            pattern_fill_sparse(place->kept[i], TIER_SAMPLES[i], seed + i);
        }
    }
}

static void preinit(int argc, char **argv, char **env) {
    (void)argc, (void)argv, (void)env;
    visit(&in_preinit, 200);
}

__attribute__((section(".preinit_array"), used)) static void (*const preinit_entry)(int, char **, char **) = preinit;

__attribute__((constructor(101))) static void construct(void) {
    visit(&in_constructor, 300);
}

static void look_back(struct place *place, uint32_t seed) {
    EXPECT(place->visited);
    EXPECT(place->worked);
    for (uint32_t i = 0; i < TIER_SAMPLE_COUNT; i++) {
        size_t size = TIER_SAMPLES[i];
        EXPECT(malloc_usable_size(place->kept[i]) >= size);
        EXPECT(pattern_holds_sparse(place->kept[i], size, size, seed + i));
        void *moved = realloc(place->kept[i], size * 3);
        EXPECT(moved != NULL);
        EXPECT(pattern_holds_sparse(moved, size, size, seed + i));
        free(moved);
    }
}

int main(void) {
    provider_require();
    look_back(&in_preinit, 200);
    look_back(&in_constructor, 300);
    EXPECT(workout(400));
    return 0;
}
