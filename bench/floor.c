/* The floor of the benchmark: the least that a command server on this machine can cost.
 *
 *   floor null    answers every command at once, runs nothing: what the harness costs
 *   floor run     runs commands by the shortest way there is
 *
 * It speaks as much of the command API as the benchmark uses, binds a free port on the
 * loopback address, and prints "listening on http://127.0.0.1:PORT" first. A thread serves
 * a connection. Commands run so:
 *
 *   in a session             written to a bash that was started with the session
 *   a word bash has built in  a subshell of a bash that was started with the connection
 *   other plain words        posix_spawn, no shell
 *   anything else            posix_spawn of bash -c
 *
 * This is a yardstick and not a server: it records and judges nothing, has no timeouts, no
 * limits and no authorization, mixes stdout with stderr, reads JSON by searching for a key,
 * and takes the record separator (0x1e) in a session's output for the end of the command.
 * cargo xtask bench compiles and starts it; it ends with the process that started it.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { COMMAND_BYTES = 8192, MOST_WORDS = 64, MOST_SESSIONS = 1 << 16, CHUNK = 1 << 17 };

static bool runs_nothing;

/* ---- text that grows ---- */

struct text {
    char *bytes;
    size_t length, room;
};

static void make_room(struct text *text, size_t more) {
    if (text->length + more <= text->room) return;
    text->room = 2 * (text->length + more);
    text->bytes = realloc(text->bytes, text->room);
    if (text->bytes == NULL) abort();
}

static void append(struct text *text, const char *bytes, size_t length) {
    make_room(text, length);
    memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
}

static void append_number(struct text *text, long number) {
    char digits[24];
    append(text, digits, (size_t)snprintf(digits, sizeof digits, "%ld", number));
}

#define APPEND(text, literal) append((text), (literal), sizeof(literal) - 1)

/* One read appended; the count, 0 at the end, -1 on an error. */
static ssize_t append_from(struct text *text, int from) {
    make_room(text, CHUNK);
    ssize_t count;
    do count = read(from, text->bytes + text->length, CHUNK);
    while (count < 0 && errno == EINTR);
    if (count > 0) text->length += (size_t)count;
    return count;
}

static bool send_all(int to, const char *bytes, size_t length) {
    while (length > 0) {
        ssize_t count = write(to, bytes, length);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return false;
        bytes += count;
        length -= (size_t)count;
    }
    return true;
}

/* ---- JSON, as far as the benchmark's own requests go ---- */

static void append_escaped(struct text *text, const char *bytes, size_t length) {
    const char *end = bytes + length;
    while (bytes < end) {
        const char *plain = bytes;
        while (bytes < end && (unsigned char)*bytes >= ' ' && *bytes != '"' && *bytes != '\\') bytes++;
        append(text, plain, (size_t)(bytes - plain));
        if (bytes == end) break;
        char escape[8];
        int escaped = snprintf(escape, sizeof escape, "\\u%04x", (unsigned char)*bytes++);
        append(text, escape, (size_t)escaped);
    }
}

/* The string member `name` of the body, unescaped; false where there is none. */
static bool string_member(const char *body, const char *name, char *value, size_t room) {
    char key[40];
    snprintf(key, sizeof key, "\"%s\":", name);
    const char *at = strstr(body, key);
    if (at == NULL) return false;
    at += strlen(key);
    at += strspn(at, " ");
    if (*at++ != '"') return false;
    size_t length = 0;
    for (; *at != '\0' && *at != '"' && length + 1 < room; at++) {
        if (*at == '\\' && at[1] != '\0') at++;
        value[length++] = *at;
    }
    value[length] = '\0';
    return true;
}

/* ---- processes ---- */

/* Starts argv with stdout and stderr on `out`, and stdin on `in` or /dev/null. */
static pid_t start(char *const argv[], int in, int out) {
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    if (in < 0) posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    else posix_spawn_file_actions_adddup2(&files, in, 0);
    posix_spawn_file_actions_adddup2(&files, out, 1);
    posix_spawn_file_actions_adddup2(&files, out, 2);
    pid_t pid = -1;
    if (posix_spawnp(&pid, argv[0], &files, NULL, argv, environ) != 0) pid = -1;
    posix_spawn_file_actions_destroy(&files);
    return pid;
}

static int exit_code(pid_t pid) {
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR) return 255;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int run_program(char *const argv[], struct text *output) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return 255;
    pid_t pid = start(argv, -1, ends[1]);
    close(ends[1]);
    while (pid > 0 && append_from(output, ends[0]) > 0) {}
    close(ends[0]);
    return pid > 0 ? exit_code(pid) : 127;
}

/* ---- a bash that lives on ---- */

struct shell {
    pid_t pid;
    int in, out;
    pthread_mutex_t turn;
};

static bool shell_open(struct shell *shell) {
    int in[2], out[2];
    if (pipe2(in, O_CLOEXEC) != 0) return false;
    if (pipe2(out, O_CLOEXEC) != 0) return close(in[0]), close(in[1]), false;
    char *argv[] = {"/bin/bash", "--noprofile", "--norc", NULL};
    shell->pid = start(argv, in[0], out[1]);
    close(in[0]);
    close(out[1]);
    shell->in = in[1];
    shell->out = out[0];
    pthread_mutex_init(&shell->turn, NULL);
    return shell->pid > 0;
}

static void shell_close(struct shell *shell) {
    close(shell->in);
    close(shell->out);
    exit_code(shell->pid);
    pthread_mutex_destroy(&shell->turn);
}

/* Writes the command and reads until its mark: 0x1e, the exit code, 0x1e. */
static int shell_run(struct shell *shell, const char *before, const char *command,
                     const char *after, struct text *output) {
    char script[COMMAND_BYTES + 64];
    int length = snprintf(script, sizeof script, "%s%s%s\nprintf '\\036%%d\\036' $?\n", before, command, after);
    size_t begin = output->length;
    int code = 255;
    pthread_mutex_lock(&shell->turn);
    if (send_all(shell->in, script, (size_t)length)) {
        while (append_from(output, shell->out) > 0) {
            char *mark = memchr(output->bytes + begin, 036, output->length - begin);
            char *last = output->bytes + output->length - 1;
            if (mark == NULL || mark == last || *last != 036) continue;
            code = atoi(mark + 1);
            output->length = (size_t)(mark - output->bytes);
            break;
        }
    }
    pthread_mutex_unlock(&shell->turn);
    return code;
}

/* ---- sessions ---- */

static struct shell *sessions[MOST_SESSIONS];
static int session_count;
static pthread_mutex_t sessions_turn = PTHREAD_MUTEX_INITIALIZER;

static int session_create(void) {
    struct shell *shell = malloc(sizeof *shell);
    struct text nothing = {0};
    if (shell == NULL || !shell_open(shell)) return -1;
    shell_run(shell, "", ":", "", &nothing);
    free(nothing.bytes);
    pthread_mutex_lock(&sessions_turn);
    int number = session_count < MOST_SESSIONS ? session_count++ : -1;
    if (number >= 0) sessions[number] = shell;
    pthread_mutex_unlock(&sessions_turn);
    return number;
}

static struct shell *session_find(const char *name, bool take) {
    int number = atoi(name);
    struct shell *shell = NULL;
    pthread_mutex_lock(&sessions_turn);
    if (number >= 0 && number < session_count) {
        shell = sessions[number];
        if (take) sessions[number] = NULL;
    }
    pthread_mutex_unlock(&sessions_turn);
    return shell;
}

/* ---- commands ---- */

static bool is_plain(const char *command) {
    return strpbrk(command, "|&;<>()$`\\\"'*?[]#~=%!{}\n") == NULL;
}

static bool is_built_in(const char *command) {
    static const char *const words[] = {"echo ", "printf ", "pwd ", ": "};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strncmp(command, words[i], strlen(words[i])) == 0) return true;
    return false;
}

static int run_command(char *command, struct shell *nearby, struct text *output) {
    if (!is_plain(command)) {
        char *argv[] = {"/bin/bash", "-c", command, NULL};
        return run_program(argv, output);
    }
    if (is_built_in(command)) {
        if (nearby->pid <= 0 && !shell_open(nearby)) return 255;
        return shell_run(nearby, "( ", command, " )", output);
    }
    char *argv[MOST_WORDS + 1], *rest = NULL;
    int count = 0;
    for (char *word = strtok_r(command, " ", &rest); word != NULL && count < MOST_WORDS;
         word = strtok_r(NULL, " ", &rest))
        argv[count++] = word;
    argv[count] = NULL;
    return count > 0 ? run_program(argv, output) : 0;
}

/* ---- HTTP ---- */

struct connection {
    int socket;
    struct shell nearby;
    struct text request, output, answer, message;
};

/* Reads one request; its body, or NULL when the client has gone. */
static const char *next_request(struct connection *c) {
    c->request.length = 0;
    for (;;) {
        if (append_from(&c->request, c->socket) <= 0) return NULL;
        make_room(&c->request, 1);
        c->request.bytes[c->request.length] = '\0';
        char *head_end = strstr(c->request.bytes, "\r\n\r\n");
        if (head_end == NULL) continue;
        char *length = strcasestr(c->request.bytes, "\r\ncontent-length:");
        size_t body = length != NULL && length < head_end ? strtoul(length + 17, NULL, 10) : 0;
        if (c->request.length >= (size_t)(head_end + 4 - c->request.bytes) + body) return head_end + 4;
    }
}

static void answer_command(struct connection *c, const char *body) {
    char command[COMMAND_BYTES] = "", name[32];
    int code = 0;
    c->output.length = 0;
    string_member(body, "command", command, sizeof command);
    if (string_member(body, "session_id", name, sizeof name)) {
        struct shell *shell = session_find(name, false);
        code = shell != NULL ? shell_run(shell, "", command, "", &c->output) : 255;
    } else if (!runs_nothing) {
        code = run_command(command, &c->nearby, &c->output);
    }
    APPEND(&c->answer, "{\"exit_code\":");
    append_number(&c->answer, code);
    APPEND(&c->answer, ",\"stderr\":\"\",\"stdout\":\"");
    append_escaped(&c->answer, c->output.bytes, c->output.length);
    APPEND(&c->answer, "\"}");
}

static void answer(struct connection *c, const char *body) {
    static const char create[] = "POST /api/create-session ", end[] = "DELETE /api/session/";
    const char *request = c->request.bytes;
    c->answer.length = 0;
    if (strncmp(request, create, sizeof create - 1) == 0) {
        APPEND(&c->answer, "{\"session_id\":\"");
        append_number(&c->answer, session_create());
        APPEND(&c->answer, "\"}");
    } else if (strncmp(request, end, sizeof end - 1) == 0) {
        struct shell *shell = session_find(request + sizeof end - 1, true);
        if (shell != NULL) shell_close(shell), free(shell);
        APPEND(&c->answer, "{\"success\":true}");
    } else if (strncmp(request, "GET ", 4) == 0) {
        APPEND(&c->answer, "{\"status\":\"ok\"}");
    } else {
        answer_command(c, body);
    }
}

static void *serve(void *socket) {
    struct connection c = {.socket = (int)(long)socket};
    int on = 1;
    setsockopt(c.socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const char *body;
    while ((body = next_request(&c)) != NULL) {
        answer(&c, body);
        c.message.length = 0;
        APPEND(&c.message, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ");
        append_number(&c.message, (long)c.answer.length);
        APPEND(&c.message, "\r\n\r\n");
        append(&c.message, c.answer.bytes, c.answer.length);
        if (!send_all(c.socket, c.message.bytes, c.message.length)) break;
    }
    close(c.socket);
    if (c.nearby.pid > 0) shell_close(&c.nearby);
    free(c.request.bytes), free(c.output.bytes), free(c.answer.bytes), free(c.message.bytes);
    return NULL;
}

int main(int argc, char **argv) {
    if (argc != 2 || (strcmp(argv[1], "null") != 0 && strcmp(argv[1], "run") != 0)) {
        fprintf(stderr, "usage: floor null|run\n");
        return 2;
    }
    runs_nothing = strcmp(argv[1], "null") == 0;
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    if (bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, 256) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &size) != 0) {
        perror("floor");
        return 1;
    }
    printf("listening on http://127.0.0.1:%d\n", ntohs(address.sin_port));
    fflush(stdout);
    for (;;) {
        int socket = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        pthread_t thread;
        if (socket < 0) continue;
        if (pthread_create(&thread, NULL, serve, (void *)(long)socket) != 0) close(socket);
        else pthread_detach(thread);
    }
}
