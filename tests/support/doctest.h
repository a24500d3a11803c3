// The test framework. Tests include this header, never doctest's own.
#pragma once

#include <doctest/doctest.h>
