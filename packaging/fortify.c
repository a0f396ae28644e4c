/*
 * The two functions of glibc that Debian's builds of libmnl and libnftnl call and musl lacks.
 * packaging/libraries compiles this file without headers. The length is limited as glibc limits it:
 * to the size of the buffer, if the compiler knew it.
 */
int vsnprintf(char *, __SIZE_TYPE__, const char *, __builtin_va_list);
int vfprintf(void *, const char *, __builtin_va_list);

int __snprintf_chk(char *buffer, __SIZE_TYPE__ length, int flag, __SIZE_TYPE__ size, const char *format, ...)
{
	__builtin_va_list arguments;
	(void)flag;
	__builtin_va_start(arguments, format);
	int written = vsnprintf(buffer, length < size ? length : size, format, arguments);
	__builtin_va_end(arguments);
	return written;
}

int __fprintf_chk(void *stream, int flag, const char *format, ...)
{
	__builtin_va_list arguments;
	(void)flag;
	__builtin_va_start(arguments, format);
	int written = vfprintf(stream, format, arguments);
	__builtin_va_end(arguments);
	return written;
}
