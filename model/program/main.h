// The frame of every program: exceptions become one line on stderr and an exit code.
//
//   int main(int argc, char** argv) { return run_main(body, argc, argv); }
//
//   0  done (the body's own value), or Finished after --help
//   1  our fault: Error and every other exception
//   2  the user's fault: InputError
//   3  a gate said no: GateRefused
#pragma once

#include <stdexcept>

class GateRefused : public std::runtime_error {
    using std::runtime_error::runtime_error;
};

int run_main(int (*body)(int, char**), int argc, char** argv);
