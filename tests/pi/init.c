/*
 * The only process of the virtual machine that runs the armv7 binary on a real kernel. It loads the
 * modules for the network card, sets the clock if requested, runs the program, prints its exit
 * status, and switches the machine off. clock.sh builds it for the guest.
 *
 * It reads its tasks from the image, and must know nothing of autodns:
 *   /modules        paths of kernel modules, one per line, in the order of loading
 *   /environment    NAME=VALUE lines, the program's whole environment
 *   /runs           one command per line, words separated by single spaces
 *   CLOCK           environment variable from the kernel's command line: seconds since 1970
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LINES = 32, LENGTH = 512 };

_Static_assert(sizeof(time_t) == 8, "this C library would not see 2038 out");

static void power_off(void)
{
    fflush(NULL);
    reboot(RB_POWER_OFF);
    for (;;)
        pause();
}

static void die(const char *what)
{
    printf("INIT %s: %m\n", what);
    power_off();
}

/* Reads the lines of a file, without their line breaks; ends them with NULL. */
static char **lines_of(const char *path)
{
    char buffer[LENGTH];
    char **lines = calloc(LINES + 1, sizeof *lines);
    FILE *file = fopen(path, "r");
    int count = 0;

    if (!lines || !file)
        die(path);
    while (count < LINES && fgets(buffer, sizeof buffer, file)) {
        buffer[strcspn(buffer, "\n")] = '\0';
        lines[count++] = strdup(buffer);
    }
    fclose(file);
    return lines;
}

static void load(const char *path)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);

    if (file < 0 || syscall(SYS_finit_module, file, "", 0) != 0)
        die(path);
    close(file);
}

static void bring_up(const char *name, const char *address)
{
    struct ifreq request = { 0 };
    struct sockaddr_in *in = (struct sockaddr_in *)&request.ifr_addr;
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    strcpy(request.ifr_name, name);
    in->sin_family = AF_INET;
    inet_pton(AF_INET, address, &in->sin_addr);
    if (s < 0 || ioctl(s, SIOCSIFADDR, &request) != 0)
        die(name);
    inet_pton(AF_INET, "255.255.255.0", &in->sin_addr);
    if (ioctl(s, SIOCSIFNETMASK, &request) != 0)
        die(name);
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    if (ioctl(s, SIOCSIFFLAGS, &request) != 0)
        die(name);
    close(s);
}

static void run(char *command, char **environment)
{
    char *words[LINES + 1] = { 0 };
    int count = 0, status = 0;
    pid_t child;

    printf("RUN %s\n", command);
    fflush(NULL);
    for (char *w = strtok(command, " "); w && count < LINES; w = strtok(NULL, " "))
        words[count++] = w;
    child = fork();
    if (child == 0) {
        execve(words[0], words, environment);
        printf("INIT %s: %m\n", words[0]);
        fflush(NULL);
        _exit(127);
    }
    if (child < 0 || waitpid(child, &status, 0) != child)
        die("cannot run a program");
    if (WIFSIGNALED(status))
        printf("KILLED BY SIGNAL %d\n", WTERMSIG(status));
    else
        printf("EXIT %d\n", WEXITSTATUS(status));
}

int main(void)
{
    const char *clock = getenv("CLOCK");
    char **environment, **each, shown[64];
    time_t now;

    setvbuf(stdout, NULL, _IOLBF, 0);
    mount("dev", "/dev", "devtmpfs", 0, NULL);
    for (each = lines_of("/modules"); *each; each++)
        load(*each);
    bring_up("lo", "127.0.0.1");
    bring_up("eth0", "10.0.2.15");
    if (clock) {
        struct timespec time = { .tv_sec = strtoll(clock, NULL, 10) };
        /* With a 64-bit time_t this is the system call clock_settime64. A 32-bit kernel accepts a
         * time after 2038 from it, but not from its hardware clock. */
        if (clock_settime(CLOCK_REALTIME, &time) != 0)
            die("cannot set the clock");
    }
    now = time(NULL);
    strftime(shown, sizeof shown, "%Y-%m-%d", gmtime(&now));
    printf("CLOCK %s\n", shown);
    environment = lines_of("/environment");
    for (each = lines_of("/runs"); *each; each++)
        run(*each, environment);
    power_off();
}
