/* thread_local.c
 * Purpose.     A plugin with a thread-local variable of the usual kind: the loader allocates it, through malloc, when a
 *              thread first touches it.
 */
char *plugin_bytes(void);

static _Thread_local char bytes[4096] = "local";

char *plugin_bytes(void) {
    return bytes;
}
