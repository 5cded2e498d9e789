#pragma once

// KB_SANITIZED is 1 in a build with a sanitizer (cmake/Options.cmake), which takes malloc and a few
// system calls (mlock) for itself; else 0.
#ifndef KB_SANITIZED
#define KB_SANITIZED 0
#endif
