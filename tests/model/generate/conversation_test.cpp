// Turns, history and what is forgotten, with models over bytes.

#include "model/generate/conversation.h"

#include "tests/support/doctest.h"
#include "tests/support/talking_model.h"
#include "tests/support/temporary_folder.h"

namespace {

const ChatTemplate kChatMl = ChatTemplate::named("chatml", "--chat_template");
const TextOptions kFour{.max_new_tokens = 4, .temperature = 0.0};

struct Talker {
    TemporaryFolder folder;
    TextGenerator generator;
    explicit Talker(char byte) : generator(written(folder, byte), "fp32") {}
    static std::string written(const TemporaryFolder& folder, char byte) {
        write_talking_model(folder.path(), byte);
        return folder.path().string();
    }
};

std::string history_of(const Conversation& conversation) {
    std::string text;
    for (const ChatMessage& message : conversation.messages())
        text += message.role + ":" + message.content + "|";
    return text;
}

}  // namespace

TEST_CASE("conversation: message and answer join the history; a reset empties it") {
    Talker talker('a');
    Conversation plain(talker.generator, kChatMl, kFour);
    std::string streamed;
    const auto answer = plain.say("x", [&](std::string_view piece) { streamed += piece; });
    CHECK(answer.text.text == "aaaa");
    CHECK(answer.text.finish_reason == "length");
    CHECK(answer.forgotten_turns == 0);
    CHECK(streamed == "aaaa");
    plain.say("y");
    CHECK(history_of(plain) == "user:x|assistant:aaaa|user:y|assistant:aaaa|");
    plain.reset();
    CHECK(plain.messages().empty());
    Conversation told(talker.generator, kChatMl, kFour, "Be kind.");
    told.say("x");
    CHECK(history_of(told) == "system:Be kind.|user:x|assistant:aaaa|");
    told.reset();
    CHECK(history_of(told) == "system:Be kind.|");
}

TEST_CASE("conversation: an answer is what the whole conversation's text would be continued by") {
    Talker talker('\0');
    Conversation conversation(talker.generator, kChatMl, kFour);
    for (const std::string message : {"x", "why?", ""}) {
        std::vector<ChatMessage> messages = conversation.messages();
        messages.push_back({"user", message});
        const std::string text = conversation.say(message).text.text;
        const TemporaryFolder fresh_folder;
        TextGenerator fresh(Talker::written(fresh_folder, '\0'), "fp32");
        CHECK(fresh.generate(kChatMl.render(messages, true), kFour)[0].text == text);
    }
}

TEST_CASE("conversation: the template's end of a turn ends an answer, be it one token or many") {
    Talker talker('\0');
    // With no word of its own from the model: whatever it says first is declared the turn's end.
    TextOptions options = kFour;
    Conversation bytes(talker.generator, kChatMl, options);
    CHECK(talker.generator.tokenizer().encode(kChatMl.turn_end()).size() == 10);
    const std::string said = bytes.say("x").text.text;
    REQUIRE(!said.empty());
    options.stop = {said.substr(0, 1)};
    Conversation stopped(talker.generator, kChatMl, options);
    const auto answer = stopped.say("x");
    CHECK(answer.text.text.empty());
    CHECK(answer.text.finish_reason == "stop");
    CHECK(history_of(stopped) == "user:x|assistant:|");
}

TEST_CASE("conversation: beyond the model's positions the oldest turns are forgotten") {
    // A turn of one byte and four is 66 bytes, a message and the prompt 51, room 256 - 4.
    Talker talker('a');
    Conversation plain(talker.generator, kChatMl, kFour);
    for (const std::string message : {"1", "2", "3", "4"})
        CHECK(plain.say(message).forgotten_turns == 0);
    CHECK(plain.say("5").forgotten_turns == 1);
    CHECK(plain.messages().front().content == "2");
    CHECK(plain.say("6").forgotten_turns == 1);
    CHECK(plain.say(std::string(130, 'x')).forgotten_turns == 3);
    CHECK(plain.messages().size() == 4);
    // A system message of 28 + 9 bytes stays.
    Conversation told(talker.generator, kChatMl, kFour, "Be brief.");
    for (const std::string message : {"1", "2", "3"}) CHECK(told.say(message).forgotten_turns == 0);
    CHECK(told.say("4").forgotten_turns == 1);
    CHECK(told.messages()[0].content == "Be brief.");
    CHECK(told.messages()[1].content == "2");
}

TEST_CASE("conversation: a message too long for the model is refused and changes nothing") {
    Talker talker('a');
    Conversation conversation(talker.generator, kChatMl, kFour);
    conversation.say("x");
    const std::string before = history_of(conversation);
    CHECK(input_error([&] { conversation.say(std::string(300, 'x')); }) ==
          "message: 350 tokens with the system message, expected at most 252 of the model's 256 "
          "positions; the others are for the answer");
    CHECK(history_of(conversation) == before);
    CHECK(conversation.say("y").text.text == "aaaa");
}

TEST_CASE("conversation: an answer cancelled halfway stays; one that never began was not asked") {
    Talker talker('a');
    TextOptions options = kFour;
    int asked = 0, allowed = 2;
    options.cancelled = [&] { return ++asked > allowed; };
    Conversation conversation(talker.generator, kChatMl, options);
    CHECK(conversation.say("x").text.finish_reason == "cancelled");
    CHECK(history_of(conversation) == "user:x|assistant:aa|");
    CHECK(conversation.say("y").text.text.empty());
    CHECK(history_of(conversation) == "user:x|assistant:aa|");
    asked = 0, allowed = 100;
    CHECK(conversation.say("z").text.text == "aaaa");
}
