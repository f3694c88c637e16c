/* thread_local_static.c
 * Purpose.     A plugin with a thread-local variable in the static block, of which the loader has little to give after
 *              the program's start.
 */
char *plugin_bytes(void);

__attribute__((tls_model("initial-exec"))) static _Thread_local char bytes[16] = "local";

char *plugin_bytes(void) {
    return bytes;
}
