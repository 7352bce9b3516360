// SPDX-License-Identifier: Apache-2.0
//
// C++ face of the quote verifier (dstack/dcap.h), header only, C++17. Handles
// free themselves; nothing throws but for want of memory (std::bad_alloc). A
// verdict that is false says in code() and message() why.
#ifndef DSTACK_DCAP_HPP
#define DSTACK_DCAP_HPP

#include <array>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <dstack/dcap.h>

namespace dstack {

// Loaded collateral; empty where it was refused.
class collateral {
public:
	// json: one document with QuoteCollateralV3's field names.
	static collateral load(std::string_view json)
	{
		collateral c;
		struct dcap_collateral *p = nullptr;
		struct why why = {};
		if (dcap_collateral_load(json.data(), json.size(), &p,
		        &c.code_, &why) == DSTACK_OK)
			c.p_.reset(p);
		else if (c.code_ == DCAP_REFUSED)
			throw std::bad_alloc();
		c.message_ = why.text;
		return c;
	}
	explicit operator bool() const { return p_ != nullptr; }
	const struct dcap_collateral *get() const { return p_.get(); }
	enum dcap_code code() const { return code_; }
	const std::string &message() const { return message_; }

private:
	struct free_it {
		void operator()(struct dcap_collateral *p) const
		{
			dcap_collateral_free(p);
		}
	};
	std::unique_ptr<struct dcap_collateral, free_it> p_;
	enum dcap_code code_ = DCAP_REFUSED;
	std::string message_;
};

class verdict {
public:
	verdict() : p_(dcap_verdict_new())
	{
		if (p_ == nullptr)
			throw std::bad_alloc();
	}
	// True if and only if the quote is genuine and the policy says yes.
	explicit operator bool() const { return p_->code == DCAP_OK; }
	enum dcap_code code() const { return p_->code; }
	std::string_view message() const { return text("message"); }
	std::string_view text(const char *name) const
	{
		return dcap_verdict_text(p_.get(), name);
	}
	std::int64_t number(const char *name) const
	{
		return dcap_verdict_number(p_.get(), name);
	}
	// A flag that not every certificate has; empty where it does not say, or
	// where there is no such flag.
	std::optional<bool> truth(const char *name) const
	{
		switch (number(name)) {
		case DCAP_TRUE: return true;
		case DCAP_FALSE: return false;
		default: return std::nullopt;
		}
	}
	std::vector<std::uint8_t> bytes(const char *name) const
	{
		std::size_t n = 0;
		const std::uint8_t *b =
		    dcap_verdict_bytes(p_.get(), name, &n);
		return b == nullptr ? std::vector<std::uint8_t>()
				    : std::vector<std::uint8_t>(b, b + n);
	}
	std::vector<std::string> advisories() const
	{
		std::vector<std::string> all;
		for (unsigned i = 0;; i++) {
			const char *s = dcap_verdict_advisory(p_.get(), i);
			if (s == nullptr)
				return all;
			all.emplace_back(s);
		}
	}
	struct dcap_verdict *get() { return p_.get(); }

private:
	struct free_it {
		void operator()(struct dcap_verdict *p) const
		{
			dcap_verdict_free(p);
		}
	};
	std::unique_ptr<struct dcap_verdict, free_it> p_;
};

// dcap_verify: now in seconds UTC; report_data: the 64 bytes it must carry.
inline verdict
verify(std::string_view quote, const collateral &c, std::int64_t now,
    const struct dcap_policy &policy,
    const std::array<std::uint8_t, 64> &report_data)
{
	verdict v;
	(void)!dcap_verify(quote.data(), quote.size(), c.get(), now, &policy,
	    report_data.data(), v.get());
	return v;
}

// dcap_authenticate: the status is the caller's to judge.
inline verdict
authenticate(std::string_view quote, const collateral &c, std::int64_t now,
    const std::uint8_t (&root_key)[64] = dcap_intel_root)
{
	verdict v;
	(void)!dcap_authenticate(quote.data(), quote.size(), c.get(), now,
	    root_key, nullptr, v.get());
	return v;
}

} // namespace dstack

#endif
