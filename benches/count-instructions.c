/*
 * A plug-in for qemu-user that counts the instructions of a program, in all of its threads. Writes
 * the number to the file in out=FILE when the program exits. Debian's qemu-user has no header for
 * plug-ins, so this file declares what it needs of that interface (version 1).
 *
 *     cc -shared -fPIC -O2 -o count.so count-instructions.c
 *     qemu-arm -plugin ./count.so,out=count.txt PROGRAM
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
void qemu_plugin_register_vcpu_tb_trans_cb(
    qemu_plugin_id_t id, void (*translated)(qemu_plugin_id_t id, struct qemu_plugin_tb *block));
void qemu_plugin_register_vcpu_tb_exec_cb(
    struct qemu_plugin_tb *block, void (*executed)(unsigned int vcpu, void *data), int registers,
    void *data);
void qemu_plugin_register_atexit_cb(
    qemu_plugin_id_t id, void (*left)(qemu_plugin_id_t id, void *data), void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);

__attribute__((visibility("default"))) int qemu_plugin_version = 1;

static uint64_t count;
static char out[4096];

static void executed(unsigned int vcpu, void *instructions)
{
    (void)vcpu;
    /* Threads run at the same time. */
    __atomic_fetch_add(&count, (uintptr_t)instructions, __ATOMIC_RELAXED);
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *block)
{
    (void)id;
    qemu_plugin_register_vcpu_tb_exec_cb(
        block, executed, 0, (void *)(uintptr_t)qemu_plugin_tb_n_insns(block));
}

static void left(qemu_plugin_id_t id, void *data)
{
    FILE *file = fopen(out, "w");
    (void)id;
    (void)data;
    if (file) {
        fprintf(file, "%" PRIu64 "\n", __atomic_load_n(&count, __ATOMIC_RELAXED));
        fclose(file);
    }
}

__attribute__((visibility("default"))) int qemu_plugin_install(
    qemu_plugin_id_t id, const void *qemu, int argc, char **argv)
{
    (void)qemu;
    if (argc != 1 || strncmp(argv[0], "out=", 4) || strlen(argv[0] + 4) >= sizeof out) {
        fprintf(stderr, "count-instructions: needs out=FILE\n");
        return 1;
    }
    strcpy(out, argv[0] + 4);
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, left, NULL);
    return 0;
}
