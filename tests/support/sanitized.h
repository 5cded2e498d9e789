#pragma once

// KB_SANITIZED is 1 in a build with a sanitizer, which takes malloc and a few system calls (mlock)
// for itself.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define KB_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define KB_SANITIZED 1
#endif
#endif
#ifndef KB_SANITIZED
#define KB_SANITIZED 0
#endif
