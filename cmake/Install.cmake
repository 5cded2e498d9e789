# What a package installs, where scripts/packaging/README.md says. The units name /usr/libexec and
# /usr/share: configure with -DCMAKE_INSTALL_PREFIX=/usr, or correct them.
if(KB_SANITIZE)
  # It is slow, links what no host has, and writes backups whose password is cheap to guess.
  install(CODE "message(FATAL_ERROR \"a build with sanitizers is for tests: it is not installed\")")
endif()
install(TARGETS keybroker RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS keybrokerd keybroker-tokenhost
  RUNTIME DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/keybroker)
install(FILES ${CMAKE_SOURCE_DIR}/tokens/softhsm2.toml ${CMAKE_SOURCE_DIR}/tokens/nss.toml
  DESTINATION ${CMAKE_INSTALL_DATADIR}/keybroker/tokens)
install(FILES ${CMAKE_SOURCE_DIR}/docs/man/keybroker.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES ${CMAKE_SOURCE_DIR}/docs/man/keybrokerd.8
  ${CMAKE_SOURCE_DIR}/docs/man/keybroker-tokenhost.8 DESTINATION ${CMAKE_INSTALL_MANDIR}/man8)

set(KB_PACKAGING ${CMAKE_SOURCE_DIR}/scripts/packaging)
install(DIRECTORY ${KB_PACKAGING}/systemd/ DESTINATION lib/systemd/system)
install(FILES ${KB_PACKAGING}/sysusers.d/keybroker.conf DESTINATION lib/sysusers.d)
install(FILES ${KB_PACKAGING}/tmpfiles.d/keybroker.conf DESTINATION lib/tmpfiles.d)
install(FILES ${KB_PACKAGING}/p11-kit/keybroker.module
  DESTINATION ${CMAKE_INSTALL_DATADIR}/p11-kit/modules)
