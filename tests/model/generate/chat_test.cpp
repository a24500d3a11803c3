// The loop of bin/generate --chat: lines in, answers out, commands and signals.

#include "model/generate/chat.h"

#include <signal.h>
#include <unistd.h>

#include "kernels/core/check.h"
#include "model/program/signals.h"
#include "tests/support/doctest.h"
#include "tests/support/talking_model.h"
#include "tests/support/temporary_folder.h"

namespace {

// To this process; returns once it was noted.
void send(int signal) {
    kill(getpid(), signal);
    while (!stop_requested()) usleep(100);
}

std::string text_in(std::FILE* file) {
    std::string text;
    std::rewind(file);
    for (int c = std::fgetc(file); c != EOF; c = std::fgetc(file)) text += static_cast<char>(c);
    std::fclose(file);
    return text;
}

// A model that answers "aaaa", and what chat() made of an input.
struct Talk {
    TemporaryFolder folder;
    TextOptions options{.max_new_tokens = 4, .temperature = 0.0};
    int code = -1;
    std::string out, notes;
    std::vector<ChatMessage> messages;

    void run(const std::string& input, bool interactive = false) {
        write_talking_model(folder.path(), 'a');
        TextGenerator generator(folder.path().string(), "fp32");
        Conversation conversation(generator, ChatTemplate::named("chatml", "--chat_template"),
                                  options);
        int ends[2];
        ENSURE(pipe(ends) == 0, "no pipe");
        ENSURE(write(ends[1], input.data(), input.size()) == static_cast<ssize_t>(input.size()),
               "no room in the pipe");
        close(ends[1]);
        std::FILE *answers = std::tmpfile(), *comments = std::tmpfile();
        try {
            code = chat(
                conversation,
                {.input = ends[0], .out = answers, .notes = comments, .interactive = interactive});
        } catch (const InputError& error) {
            notes = error.what();
        }
        close(ends[0]);
        out = text_in(answers);
        notes += text_in(comments);
        messages = conversation.messages();
    }
};

}  // namespace

TEST_CASE("chat: answers every line until the input ends, with nothing but answers on stdout") {
    Talk talk;
    talk.run("one\n\n  \ntwo\r\nthree");
    CHECK(talk.code == 0);
    CHECK(talk.out == "aaaa\naaaa\naaaa\n");
    CHECK(talk.notes == "(cut after 4 tokens)\n(cut after 4 tokens)\n(cut after 4 tokens)\n");
    REQUIRE(talk.messages.size() == 6);
    CHECK(talk.messages[2].content == "two");
    CHECK(talk.messages[4].content == "three");
}

TEST_CASE("chat: no input is no conversation") {
    Talk talk;
    talk.run("");
    CHECK(talk.code == 0);
    CHECK(talk.out.empty());
    CHECK(talk.notes.empty());
}

TEST_CASE("chat: /reset forgets, /quit leaves, /help and unknown commands list what there is") {
    Talk talk;
    talk.run("one\n/reset \ntwo\n/help\n/restart\n /sent\n/quit\nnever\n");
    CHECK(talk.code == 0);
    CHECK(talk.out == "aaaa\naaaa\naaaa\n");
    REQUIRE(talk.messages.size() == 4);
    CHECK(talk.messages[0].content == "two");
    CHECK(talk.messages[2].content == " /sent");
    CHECK(contains(talk.notes, "(the conversation is empty)"));
    CHECK(contains(talk.notes, "/quit   leave"));
    CHECK(contains(talk.notes, "/restart: no such command"));
}

TEST_CASE("chat: prompts only where someone is typing") {
    Talk talk;
    talk.run("one\n", /*interactive=*/true);
    CHECK(talk.out == "aaaa\n");
    CHECK(talk.notes == "/help lists the commands; Ctrl-D leaves.\n> (cut after 4 tokens)\n> \n");
}

TEST_CASE("chat: says which turns were forgotten") {
    Talk talk;
    talk.run("1\n2\n3\n4\n5\n" + std::string(130, 'x') + "\n");
    CHECK(contains(talk.notes,
                   "(too long for the model: the oldest turn of the conversation is "
                   "forgotten)"));
    CHECK(contains(talk.notes, "the oldest 3 turns of the conversation are forgotten)"));
}

TEST_CASE("chat: a message that does not fit ends a piped conversation, not a typed one") {
    const std::string input = "one\n" + std::string(300, 'x') + "\ntwo\n";
    Talk piped, typed;
    piped.run(input);
    CHECK(piped.code == -1);
    CHECK(contains(piped.notes, "message: 350 tokens"));
    CHECK(piped.out == "aaaa\n");
    typed.run(input, /*interactive=*/true);
    CHECK(typed.code == 0);
    CHECK(contains(typed.notes, "message: 350 tokens"));
    CHECK(typed.out == "aaaa\naaaa\n");
}

TEST_CASE("chat: Ctrl-C ends the answer, not the conversation") {
    Talk talk;
    int asked = 0;
    talk.options.cancelled = [&] {
        if (++asked == 3) send(SIGINT);
        return stop_requested().has_value();
    };
    talk.run("one\ntwo\n");
    CHECK(talk.code == 0);
    CHECK(talk.out == "aa\naaaa\n");
    REQUIRE(talk.messages.size() == 4);
    CHECK(talk.messages[1].content == "aa");
    CHECK_FALSE(stop_requested().has_value());
}

TEST_CASE("chat: SIGTERM ends the answer and the conversation") {
    Talk talk;
    int asked = 0;
    talk.options.cancelled = [&] {
        if (++asked == 3) send(SIGTERM);
        return stop_requested().has_value();
    };
    talk.run("one\ntwo\n");
    CHECK(talk.code == 143);
    CHECK(talk.out == "aa\n");
}
